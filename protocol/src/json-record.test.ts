import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeUtf8, utf8 } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { jsonRecord, parseJson } from './json-record.ts'

const record = jsonRecord('Thing', { Name: 'string', Count: 'number', Sure: 'boolean?', Rest: 'json?' })
const decode = (text: string) => record.decode(utf8(text))

describe('writing', () => {
  test('members keep the order of the declaration, whatever the order of the value', () => {
    const bytes = record.encode({ Rest: [1], Count: 2, Name: 'a' })
    expect(decodeUtf8(bytes)).toBe('{"Name":"a","Count":2,"Rest":[1]}')
  })

  test('null stays, absent and undefined members do not appear', () => {
    expect(decodeUtf8(record.encode({ Name: '', Count: 0, Sure: undefined, Rest: null }))).toBe(
      '{"Name":"","Count":0,"Rest":null}',
    )
  })
})

describe('reading, as Go peers do', () => {
  test.each([
    ['{"Name":"a","Count":1}', { Name: 'a', Count: 1 }],
    ['{"name":"a","COUNT":1,"sURE":true}', { Name: 'a', Count: 1, Sure: true }],
    ['{"Name":"a","Count":1,"Sure":null,"Rest":null,"More":{}}', { Name: 'a', Count: 1 }],
    ['{"Name":"a","Count":1,"name":"b"}', { Name: 'b', Count: 1 }],
    ['{"Name":"a","Count":1.5e300,"Rest":{"x":[]}}', { Name: 'a', Count: 1.5e300, Rest: { x: [] } }],
  ])('%s', (text, expected) => {
    expect(decode(text)).toEqual(expected)
  })

  test.each([
    ['{"Name":"a"}', 'bad-payload', /Thing lacks Count/],
    ['{"Name":null,"Count":1}', 'bad-payload', /Thing lacks Name/],
    ['{"Name":1,"Count":1}', 'bad-payload', /Name of Thing is a number, not a string/],
    ['{"Name":"a","Count":"1"}', 'bad-payload', /Count of Thing is a string, not a number/],
    ['{"Name":"a","Count":1,"Sure":"yes"}', 'bad-payload', /Sure/],
    ['[]', 'bad-payload', /not a JSON object/],
    ['null', 'bad-payload', /not a JSON object/],
    ['"Name"', 'bad-payload', /not a JSON object/],
    ['', 'bad-json', /not valid JSON/],
    ['{"Name":"a","Count":NaN}', 'bad-json', /not valid JSON/],
    ['{"Name":"a","Count":1}x', 'bad-json', /not valid JSON/],
  ])('refuses %s', (text, code, message) => {
    expect(() => decode(text)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    )
  })

  test('bytes that are no UTF-8 are no JSON', () => {
    const bytes = utf8('{"Name":"?","Count":1}').map(byte => (byte === 0x3f ? 0xff : byte))
    expect(() => record.decode(bytes)).toThrow(expect.objectContaining({ code: 'bad-json' }))
  })
})

describe('what a malicious peer sends', () => {
  test('a __proto__ member changes nothing, neither here nor elsewhere', () => {
    const text =
      '{"__proto__":{"Sure":true,"polluted":1},"constructor":{"prototype":{"polluted":1}},"Name":"a","Count":1}'
    const thing = decode(text)
    expect(thing).toEqual({ Name: 'a', Count: 1 })
    expect(thing.Sure).toBeUndefined()
    expect(Object.getPrototypeOf(thing)).toBe(Object.prototype)
    expect('polluted' in {}).toBe(false)
  })

  test('members are not looked for on the prototype', () => {
    const named = jsonRecord('Named', { toString: 'string?', hasOwnProperty: 'json?' })
    expect(Object.keys(named.decode(utf8('{}')))).toEqual([])
  })

  test.each(['[', '{"a":', '[{"a":'])('JSON as deep as fits, of %j, is an answer and not a crash', open => {
    const deep = utf8(open.repeat(Math.floor((500 * 1024) / open.length)))
    expect(() => parseJson('deep', deep)).toThrow(expect.objectContaining({ code: 'bad-json' }))
    const closed = utf8(`{"Name":"a","Count":1,"Rest":${'['.repeat(200_000)}${']'.repeat(200_000)}}`)
    expect(record.decode(closed).Count).toBe(1)
  })

  test('JSON beyond the limit is refused unread', () => {
    const large = utf8(`"${'x'.repeat(512 * 1024)}"`)
    expect(() => parseJson('large', large)).toThrow(/large has 524290 bytes, more than 524288/)
  })

  test('any JSON and any bytes end in a record or in a ProtocolError', () => {
    const attempt = (bytes: Uint8Array) => {
      try {
        expect(record.decode(bytes)).toHaveProperty('Name')
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError)
      }
    }
    fc.assert(fc.property(fc.json(), text => attempt(utf8(text))))
    fc.assert(fc.property(fc.uint8Array(), attempt))
  })

  test('what is written is what is read', () => {
    const text = fc.string({
      unit: fc.integer({ min: 0, max: 0xd7ff }).map(code => String.fromCharCode(code)),
    })
    const value = fc.record(
      {
        Name: text,
        Count: fc.double({ noNaN: true, noDefaultInfinity: true }),
      },
      { requiredKeys: ['Name', 'Count'] },
    )
    fc.assert(
      fc.property(value, thing => {
        expect(record.decode(record.encode(thing))).toEqual({
          ...thing,
          Count: thing.Count === 0 ? 0 : thing.Count,
        })
      }),
      { numRuns: 30 },
    )
  })
})
