import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type EscapeAction, EscapeFilter } from './escape.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (data: Uint8Array) => new TextDecoder().decode(data)

const feedAll = (chunks: readonly string[]) => {
  const filter = new EscapeFilter()
  let sent = ''
  const actions: EscapeAction[] = []
  for (const chunk of chunks) {
    const { send, action } = filter.feed(bytes(chunk))
    sent += text(send)
    if (action !== undefined) actions.push(action)
    if (action === 'disconnect') break
  }
  return { sent, actions }
}

/** The second implementation: rewrites the whole input as one string, with no state between chunks. */
const naive = (input: string) => {
  let sent = ''
  const actions: EscapeAction[] = []
  let rest = input
  let fresh = true
  while (rest !== '') {
    const pair = rest.slice(0, 2)
    if (fresh && pair === '~.') return { sent, actions: [...actions, 'disconnect' as const] }
    if (fresh && (pair === '~?' || pair === '~\x1a')) {
      actions.push(pair === '~?' ? 'help' : 'suspend')
      rest = rest.slice(2)
      continue
    }
    if (fresh && pair === '~') break
    const taken: number = fresh && pair.startsWith('~') ? 2 : 1
    const out: string = pair === '~~' && taken === 2 ? '~' : rest.slice(0, taken)
    sent += out
    fresh = out.endsWith('\r') || out.endsWith('\n')
    rest = rest.slice(taken)
  }
  return { sent, actions }
}

describe('escape sequences', () => {
  test.each([
    ['~.', '', ['disconnect']],
    ['ls\r~.', 'ls\r', ['disconnect']],
    ['ls\n~.rest', 'ls\n', ['disconnect']],
    ['a~.', 'a~.', []],
    ['~~.', '~.', []],
    ['~?~.', '', ['help', 'disconnect']],
    ['~\x1als\r', 'ls\r', ['suspend']],
    ['~a~.', '~a~.', []],
    ['~\r~.', '~\r', ['disconnect']],
    ['~', '', []],
    ['\x03\x1a\x1c', '\x03\x1a\x1c', []],
  ])('%j, typed key by key, sends %j', (typed, sent, actions) => {
    expect(feedAll([...typed])).toEqual({ sent, actions })
  })

  test('cut at random places, they mean the same as for a naive reader of the whole', () => {
    const key = fc.constantFrom('~', '.', '?', '\x1a', '\r', '\n', 'a')
    fc.assert(
      fc.property(fc.array(key, { maxLength: 24 }), typed => {
        expect(feedAll(typed)).toEqual(naive(typed.join('')))
      }),
      { numRuns: 500 },
    )
  })

  test('one chunk sends what the same keys one by one send', () => {
    const key = fc.constantFrom('~', '.', '?', '\x1a', '\r', 'a')
    fc.assert(
      fc.property(fc.array(fc.string({ unit: key, maxLength: 8 }), { maxLength: 6 }), chunks => {
        expect(feedAll(chunks).sent).toBe(naive(chunks.join('')).sent)
      }),
      { numRuns: 500 },
    )
  })

  test('several actions in one chunk report the strongest', () => {
    expect(new EscapeFilter().feed(bytes('~?~\x1a~?')).action).toBe('suspend')
    expect(new EscapeFilter().feed(bytes('~\x1a~.')).action).toBe('disconnect')
  })

  test('bytes without a tilde pass through without a copy', () => {
    const paste = new Uint8Array(100_000).fill(0x61)
    expect(new EscapeFilter().feed(paste).send).toBe(paste)
  })
})
