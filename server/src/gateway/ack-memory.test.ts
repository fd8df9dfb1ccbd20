import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AckMemory, MAXIMUM_RANGES } from './ack-memory.ts'

describe('which messages the client has acknowledged', () => {
  test('is as a set of all numbers would tell, whatever comes in whatever order', () => {
    const number = fc.oneof(fc.nat(60), fc.constantFrom(-1, 1.5, Number.NaN, 2 ** 53))
    const one = fc.record({ kind: fc.constant('one' as const), number })
    const through = fc.record({
      kind: fc.constant('through' as const),
      number,
      sent: fc.integer({ min: -1, max: 60 }),
    })
    fc.assert(
      fc.property(fc.array(fc.oneof(one, through)), steps => {
        const memory = new AckMemory()
        const naive = new Set<number>()
        for (const step of steps) {
          if (step.kind === 'one') {
            memory.add(step.number)
            if (Number.isSafeInteger(step.number) && step.number >= 0) naive.add(step.number)
          } else {
            memory.addThrough(step.number, step.sent)
            const last = Math.min(step.number, step.sent)
            if (Number.isInteger(last)) for (let i = 0; i <= last; i++) naive.add(i)
          }
          for (let i = -1; i <= 62; i++) expect(memory.has(i), `${i}`).toBe(naive.has(i))
        }
      }),
    )
  })

  test('is known for a session that is old already when the memory is new', () => {
    const memory = new AckMemory()
    for (let i = 0; i < 50_000; i++) memory.add(1_000_000 + i)
    expect(memory.has(1_000_000)).toBe(true)
    expect(memory.has(1_049_999)).toBe(true)
    expect(memory.has(999_999)).toBe(false)
    expect(memory.has(0)).toBe(false)
  })

  test('takes no more room for a client that acknowledges every other message', () => {
    const memory = new AckMemory()
    const count = MAXIMUM_RANGES + 10
    for (let i = 0; i < count; i++) memory.add(2 * i)
    expect(memory.has(0), 'the lowest are forgotten').toBe(false)
    expect(memory.has(20)).toBe(true)
    expect(memory.has(2 * (count - 1))).toBe(true)
    expect(memory.has(21)).toBe(false)
  })
})
