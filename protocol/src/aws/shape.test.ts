import fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { AwsError } from './error.ts'
import { checkInput, type Infer, type Shape, s } from './shape.ts'

const shape = s.structure(
  {
    Target: s.string({ min: 1, max: 4 }),
    DocumentName: s.string({ pattern: '[a-z]{3,8}' }),
    State: s.string({ enum: ['Active', 'History'] }),
    MaxResults: s.integer({ min: 1, max: 50 }),
    Force: s.boolean(),
    Since: s.timestamp(),
    Names: s.list(s.string({ min: 2 }), { max: 3 }),
    Tags: s.list(s.structure({ Key: s.string({ min: 1 }) }, { required: ['Key'] })),
    Parameters: s.map(s.string({ max: 10 }), s.list(s.string({ min: 1 }))),
    Code: s.string({ min: 20, sensitive: true }),
  },
  { required: ['Target'] },
)

function refusal<T>(of: Shape<T>, value: unknown): [code: string, message: string] {
  try {
    checkInput(of, value)
  } catch (error) {
    if (error instanceof AwsError) return [error.code, error.message]
    throw error
  }
  return ['none', '']
}

const message = (value: unknown) => refusal(shape, value)[1]

test('the type of the checked input follows from the shape', () => {
  type Input = Infer<typeof shape>
  expectTypeOf<Input['Target']>().toEqualTypeOf<string>()
  expectTypeOf<Input['State']>().toEqualTypeOf<'Active' | 'History' | undefined>()
  expectTypeOf<Input['Parameters']>().toEqualTypeOf<Readonly<Record<string, readonly string[]>> | undefined>()
  expectTypeOf(checkInput(shape, { Target: 'a' })).toEqualTypeOf<Input>()
})

test('a good input comes back with its times in milliseconds, without nulls and unknown members', () => {
  const input = {
    Target: 'mi-1',
    Since: 1767323045.936,
    Names: ['ab'],
    Tags: [{ Key: 'k', Other: 1 }],
    Parameters: { portNumber: ['80'] },
    DocumentName: null,
    Unknown: { deep: [] },
  }
  expect(checkInput(shape, input)).toEqual({
    Target: 'mi-1',
    Since: 1767323045936,
    Names: ['ab'],
    Tags: [{ Key: 'k' }],
    Parameters: { portNumber: ['80'] },
  })
})

describe('violations are worded as AWS words them', () => {
  test('all of them in one message', () => {
    expect(refusal(shape, { Target: 'too long', State: 'Gone' })).toEqual([
      'ValidationException',
      "2 validation errors detected: Value 'too long' at 'target' failed to satisfy constraint: " +
        "Member must have length less than or equal to 4; Value 'Gone' at 'state' failed to satisfy constraint: " +
        'Member must satisfy enum value set: [Active, History]',
    ])
  })

  test.each([
    [{}, "Value null at 'target' failed to satisfy constraint: Member must not be null"],
    [{ Target: null }, "Value null at 'target' failed to satisfy constraint: Member must not be null"],
    [
      { Target: '' },
      "Value '' at 'target' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
    [
      { Target: 'a', DocumentName: 'abc!' },
      "Value 'abc!' at 'documentName' failed to satisfy constraint: " +
        'Member must satisfy regular expression pattern: [a-z]{3,8}',
    ],
    [
      { Target: 'a', MaxResults: 51 },
      "Value '51' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 50",
    ],
    [
      { Target: 'a', MaxResults: 0 },
      "Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ],
    [
      { Target: 'a', Tags: [{ Key: 'k' }, {}] },
      "Value null at 'tags.2.member.key' failed to satisfy constraint: Member must not be null",
    ],
    [
      { Target: 'a', Names: ['ab', 'c'] },
      "Value '[ab, c]' at 'names' failed to satisfy constraint: Member must satisfy constraint: " +
        '[Member must have length greater than or equal to 2, Member must not be null]',
    ],
    [
      { Target: 'a', Parameters: { portNumber: [''] } },
      "Value '{portNumber=[]}' at 'parameters' failed to satisfy constraint: Map value must satisfy constraint: " +
        '[Member must have length less than or equal to 1000, Member must satisfy constraint: ' +
        '[Member must have length greater than or equal to 1, Member must not be null], Member must not be null]',
    ],
    [
      { Target: 'a', Parameters: { 'a-long-name': ['x'] } },
      "Value '{a-long-name=[x]}' at 'parameters' failed to satisfy constraint: Map keys must satisfy constraint: " +
        '[Member must have length less than or equal to 10, Member must not be null]',
    ],
  ])('%j', (value, expected) => {
    expect(message(value)).toBe(`1 validation error detected: ${expected}`)
  })

  test('null elements are violations, not holes', () => {
    expect(message({ Target: 'a', Names: [null] })).toContain("Value '[null]' at 'names'")
    expect(message({ Target: 'a', Tags: [null] })).toContain("Value null at 'tags.1.member'")
    expect(message({ Target: 'a', Parameters: { a: null } })).toContain("Value '{a=null}' at 'parameters'")
  })

  test('a pattern has to match the whole text', () => {
    const version = s.structure({ V: s.string({ pattern: '([$]LATEST|^[1-9][0-9]*$)' }) })
    expect(checkInput(version, { V: '$LATEST' })).toEqual({ V: '$LATEST' })
    expect(refusal(version, { V: 'x$LATESTx' })[0]).toBe('ValidationException')
    expect(refusal(version, { V: '1\n' })[0]).toBe('ValidationException')
  })
})

describe('values of the wrong type', () => {
  test.each([
    [[], 'LIST_VALUE can not be converted to a Structure'],
    ['text', 'STRING_VALUE can not be converted to a Structure'],
    [{ Target: 5 }, "NUMBER_VALUE can not be converted to a String at 'target'"],
    [{ Target: ['a'] }, "LIST_VALUE can not be converted to a String at 'target'"],
    [{ MaxResults: '5' }, "STRING_VALUE can not be converted to an Integer at 'maxResults'"],
    [{ MaxResults: 1.5 }, "DECIMAL_VALUE can not be converted to an Integer at 'maxResults'"],
    [{ MaxResults: 2 ** 31 }, "NUMBER_VALUE can not be converted to an Integer at 'maxResults'"],
    [{ Force: 'true' }, "STRING_VALUE can not be converted to a Boolean at 'force'"],
    [{ Since: '2026-01-02' }, 'can not be converted to a Timestamp'],
    [{ Since: 1e300 }, 'can not be converted to a Timestamp'],
    [{ Names: 'ab' }, "STRING_VALUE can not be converted to a List at 'names'"],
    [{ Parameters: [] }, "LIST_VALUE can not be converted to a Map at 'parameters'"],
    [{ Parameters: { a: 'x' } }, "STRING_VALUE can not be converted to a List at 'parameters.a.member'"],
    [{ Tags: ['x'] }, "STRING_VALUE can not be converted to a Structure at 'tags.1.member'"],
  ])('%j cannot be serialised, whatever else is wrong', (value, expected) => {
    const [code, text] = refusal(shape, value)
    expect(code).toBe('SerializationException')
    expect(text).toContain(expected)
  })
})

describe('hostile input', () => {
  test('keys that name inherited properties are ordinary keys', () => {
    const value = JSON.parse('{"Target":"a","__proto__":{"Force":true},"Parameters":{"__proto__":["x"]}}')
    const input = checkInput(shape, value)
    expect(input.Force).toBeUndefined()
    expect(Object.keys(input.Parameters ?? {})).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(input.Parameters)).toBeNull()
    expect(Object.getPrototypeOf(input)).toBe(Object.prototype)
    const named = s.structure({ constructor: s.string() }, { required: ['constructor'] })
    expect(refusal(named, {})[1]).toContain('Member must not be null')
    expect(({} as Record<string, unknown>).Force).toBeUndefined()
  })

  test('quoted values are cut, and carry no control characters', () => {
    expect(message({ Target: 'x'.repeat(1_000_000) }).length).toBeLessThan(400)
    expect(message({ Target: '\u001b[31m\u202eabc' })).toContain("Value '\ufffd[31m\ufffdabc'")
  })

  test('a secret is never quoted', () => {
    expect(message({ Target: 'a', Code: 'hunter2' })).toContain("Value '***' at 'code'")
    const list = s.structure({ Codes: s.list(s.string({ sensitive: true, max: 3 })) })
    expect(refusal(list, { Codes: ['hunter2'] })[1]).not.toContain('hunter2')
  })

  test('counts are bounded before anything is copied, and messages after ten violations', () => {
    expect(message({ Target: 'a', Names: ['aa', 'aa', 'aa', 'aa'] })).toContain(
      'length less than or equal to 3',
    )
    expect(message({ Target: 'a', Tags: Array(1001).fill({ Key: 'k' }) })).toContain(
      'less than or equal to 1000',
    )
    const many = message({ Target: 'a', Tags: Array(1000).fill({}) })
    expect(many).toMatch(/^1000 validation errors detected: .*; and 990 more$/)
    expect(many.length).toBeLessThan(2000)
  })

  test('lengths count characters, not UTF-16 units', () => {
    expect(checkInput(shape, { Target: '😀😀😀😀' }).Target).toBe('😀😀😀😀')
    expect(message({ Target: '😀😀😀😀😀' })).toContain('less than or equal to 4')
  })

  test('any JSON gives an input or an AwsError, and a checked input checks again', () => {
    const members = fc.record(
      { Target: fc.jsonValue(), Names: fc.jsonValue(), Tags: fc.jsonValue(), Parameters: fc.jsonValue() },
      { requiredKeys: [] },
    )
    const property = fc.property(fc.oneof(fc.jsonValue(), members), value => {
      try {
        const input = checkInput(shape, value)
        expect(checkInput(shape, input)).toEqual(input)
      } catch (error) {
        expect(error).toBeInstanceOf(AwsError)
      }
    })
    fc.assert(property, { numRuns: 1000 })
  })
})
