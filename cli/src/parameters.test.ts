import { expect, test } from 'vitest'
import { parseParameters } from './parameters.ts'

test.each([
  [[], {}],
  [['portNumber=80'], { portNumber: ['80'] }],
  [['portNumber=80,host=a=b'], { portNumber: ['80'], host: ['a=b'] }],
  [['a=1', 'b=2', 'a=3'], { a: ['3'], b: ['2'] }],
  [['{"a":["1","2"],"b":"x,y","c":3,"d":true}'], { a: ['1', '2'], b: ['x,y'], c: ['3'], d: ['true'] }],
  [['command='], { command: [''] }],
])('%j is %j', (texts, parameters) => {
  expect(parseParameters(texts)).toEqual(parameters)
})

test.each([
  ['{"a":', /is not JSON/],
  ['{"a":{"b":1}}', /"a" must be a text/],
  ['{"a":null}', /"a" must be a text/],
  ['a', /"a" is not name=value/],
  ['=x', /"=x" is not name=value/],
])('%j is refused', (text, message) => {
  expect(() => parseParameters([text])).toThrow(message)
})
