import { describe, expect, test } from 'vitest'
import { substitute } from './substitute.ts'

const properties = (value: unknown, given: unknown, parameters: unknown = {}) =>
  substitute({ properties: value, parameters }, given).properties

describe('a parameter', () => {
  test('is put into properties and inputs, at any depth, and nowhere else', () => {
    const document = {
      description: '{{ name }}',
      properties: { linux: { commands: 'tail -f {{ name }}', list: ['{{name}}', 7, null, true] } },
      inputs: { runAsDefaultUser: '{{  name  }}' },
    }
    expect(substitute(document, { name: '/var/log/a' })).toEqual({
      description: '{{ name }}',
      properties: { linux: { commands: 'tail -f /var/log/a', list: ['/var/log/a', 7, null, true] } },
      inputs: { runAsDefaultUser: '/var/log/a' },
    })
  })

  test('that is all of a text keeps its type; within one a list is JSON', () => {
    expect(properties(['{{ a }}', 'x {{ a }}'], { a: ['1', '2'] })).toEqual([['1', '2'], 'x ["1","2"]'])
  })

  test('that is not given has its default', () => {
    const declared = { a: { type: 'String', default: 'd' }, b: { type: 'StringList', default: ['e'] } }
    expect(properties('{{ a }}', {}, declared)).toBe('d')
    expect(properties('{{ b }}', {}, declared)).toEqual(['e'])
    expect(properties('{{ a }}', { a: '' }, declared)).toBe('')
  })

  test('stays what it is: nothing in a value is expanded again', () => {
    const given = { a: '{{ b }} $& $1 {{ssm:x}}', b: 'secret' }
    expect(properties('x {{ a }} y', given)).toBe('x {{ b }} $& $1 {{ssm:x}} y')
    expect(properties('{{ a }}', given)).toBe(given.a)
  })

  test('may stand next to another', () => {
    expect(properties('{{ a }}{{ b }}', { a: '1', b: '2' })).toBe('12')
  })
})

describe('a reference to nothing ends the session with the reason', () => {
  test.each(['constructor', 'toString', 'hasOwnProperty', 'logpath'])('%s', name => {
    expect(() => properties(`tail {{ ${name} }}`, {})).toThrow(
      `refers to {{ ${name} }}, but the parameter '${name}' has neither a value nor a default`,
    )
  })

  test.each(['{{ssm:golden-ami}}', '{{ ssm:/a/b:3 }}', '{{ssm-secure:x}}'])('%s', reference => {
    expect(() => properties(`x ${reference}`, {})).toThrow('a parameter of the Parameter Store')
  })
})

test('text between braces that is no reference stays', () => {
  const format = `docker ps --format '{{.Names}} {{json .Ports}} {{range .X}}{{.Y}}{{else}}-{{end}}'`
  expect(properties(format, {})).toBe(format)
})

test('names of the prototype are names like others, as keys and as parameters', () => {
  const document = JSON.parse('{"properties":{"__proto__":{"polluted":"{{ constructor }}"}}}')
  const { properties: replaced } = substitute<{ properties: unknown }>(document, { constructor: 'c' })
  expect(Object.getPrototypeOf(replaced)).toBe(Object.prototype)
  expect(JSON.stringify(replaced)).toBe('{"__proto__":{"polluted":"c"}}')
  expect(properties('x', JSON.parse('{"__proto__":{"a":"b"}}'))).toBe('x')
})

test.each(['{{ssm:', '{{', '{{ a', '{{ssm:x'])(
  'reading %s and many blanks takes no longer than they are many',
  start => {
    const text = `${start}${' '.repeat(400_000)}`
    const before = performance.now()
    expect(properties(text, {})).toBe(text)
    expect(performance.now() - before).toBeLessThan(1_000)
  },
)

test('a document cannot grow or nest beyond bounds', () => {
  expect(() => properties('{{ a }} '.repeat(100), { a: 'x'.repeat(20_000) })).toThrow('more than 1048576')
  const deep = JSON.parse('['.repeat(5000) + ']'.repeat(5000))
  expect(() => properties(deep, {})).toThrow('levels deep')
})
