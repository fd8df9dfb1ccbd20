import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type JsonNode, readJson } from './json.ts'
import { PolicyFault } from './malformed.ts'

/** As JSON.parse would answer, without duplicate keys and prototypes in the way. */
function plain(node: JsonNode): unknown {
  switch (node.kind) {
    case 'string':
      return node.text
    case 'number':
    case 'boolean':
      return JSON.parse(node.text)
    case 'null':
      return null
    case 'array':
      return node.items.map(plain)
    case 'object':
      return Object.fromEntries([...node.members].map(([key, { value }]) => [key, plain(value)]))
  }
}

describe('JSON with places', () => {
  test('is what JSON.parse reads', () => {
    const documents = fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' })
    fc.assert(
      fc.property(documents, fc.constantFrom(0, 1, '\t', ' \r\n'), (document, indent) => {
        const text = JSON.stringify(document, null, indent)
        expect(plain(readJson(text))).toEqual(JSON.parse(text))
      }),
      { numRuns: 200 },
    )
  })

  test('says of every node where it begins and ends', () => {
    const text = ' {"a" : [1.50, "x\\n" ],\n"__proto__":true} '
    const node = readJson(text)
    if (node.kind !== 'object') throw new Error('no object')
    expect(text.slice(node.start, node.end)).toBe(text.trim())
    const list = node.members.get('a')?.value
    if (list?.kind !== 'array') throw new Error('no array')
    expect(list.items.map(({ start, end }) => text.slice(start, end))).toEqual(['1.50', '"x\\n"'])
    expect([...node.members.keys()]).toEqual(['a', '__proto__'])
  })

  test('a text that was cut, or of which a character is another, is read or refused, never anything else', () => {
    const text = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', n: -1.5e3, u: '\u2028' }],
    })
    const changed = fc
      .record({ at: fc.nat(text.length), with: fc.string({ maxLength: 2 }), cut: fc.boolean() })
      .map(({ at, with: other, cut }) => text.slice(0, at) + other + (cut ? '' : text.slice(at + 1)))
    fc.assert(
      fc.property(changed, candidate => {
        const ours = outcome(() => plain(readJson(candidate)))
        const theirs = outcome(() => JSON.parse(candidate))
        // Theirs takes duplicate keys.
        if (ours !== 'refused' || theirs === 'refused') expect(ours).toEqual(theirs)
      }),
      { numRuns: 1_000 },
    )
  })
})

function outcome(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    if (error instanceof PolicyFault || error instanceof SyntaxError) return 'refused'
    throw error
  }
}
