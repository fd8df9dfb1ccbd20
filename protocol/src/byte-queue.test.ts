import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteQueue, ownedBytes } from './byte-queue.ts'
import { concatBytes, toHex } from './bytes.ts'

const KIBIBYTE = 1024

function everything(queue: ByteQueue): Uint8Array[] {
  const chunks = []
  for (let chunk = queue.shift(); chunk !== undefined; chunk = queue.shift()) chunks.push(chunk)
  return chunks
}

/** A piece of a buffer that is much larger. */
function piece(size: number, of: number, fill: number): Uint8Array {
  return new Uint8Array(of).subarray(17, 17 + size).fill(fill)
}

describe('a queue of bytes', () => {
  test('gives back what was put in, in order, however it is taken', () => {
    const step = fc.oneof(
      fc.record({
        do: fc.constantFrom('push' as const, 'gather' as const),
        size: fc.integer({ min: 1, max: 9000 }),
      }),
      fc.record({ do: fc.constant('take' as const), size: fc.integer({ min: 1, max: 20_000 }) }),
      fc.record({ do: fc.constant('shift' as const), size: fc.constant(0) }),
      fc.record({ do: fc.constant('many' as const), size: fc.integer({ min: 1, max: 300 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const queue = new ByteQueue()
        let expected: number[] = []
        let next = 0
        const fresh = (size: number) => {
          const chunk = Uint8Array.from({ length: size }, () => next++ * 7)
          expected.push(...chunk)
          return chunk
        }
        const check = (taken: Uint8Array) => {
          expect(toHex(taken)).toBe(toHex(Uint8Array.from(expected.slice(0, taken.length))))
          expected = expected.slice(taken.length)
        }
        for (const { do: what, size } of steps) {
          if (what === 'push') queue.push(fresh(size))
          else if (what === 'gather') queue.gather(fresh(size))
          else if (what === 'many') for (let i = 0; i < size; i++) queue.push(fresh(1))
          else if (what === 'shift') check(queue.shift() ?? new Uint8Array(0))
          else {
            const parts: Uint8Array[] = []
            const wanted = Math.min(size, expected.length)
            expect(queue.take(size, parts)).toBe(wanted)
            expect(concatBytes(parts).length).toBe(wanted)
            check(concatBytes(parts))
          }
          expect(queue.size).toBe(expected.length)
        }
        check(concatBytes(everything(queue)))
        expect(expected).toEqual([])
      }),
    )
  })

  test('takes without copying', () => {
    const queue = new ByteQueue()
    const chunk = new Uint8Array(100)
    queue.push(chunk)
    const parts: Uint8Array[] = []
    queue.take(10, parts)
    queue.take(10, parts)
    expect(parts.map(({ buffer, byteOffset }) => [buffer === chunk.buffer, byteOffset])).toEqual([
      [true, 0],
      [true, 10],
    ])
  })

  test.each([
    [1, 64 * KIBIBYTE],
    [100, 1024 * KIBIBYTE],
    [4095, 64 * KIBIBYTE],
    [4096, 1024 * KIBIBYTE],
    [10_000, 64 * KIBIBYTE],
    [60_000, 64 * KIBIBYTE],
  ])('that gathers pieces of %i bytes keeps alive little else of their buffers', (size, of) => {
    const queue = new ByteQueue()
    for (let i = 0; i < 50; i++) queue.gather(piece(size, of, i))
    const held = everything(queue)
    const buffers = new Set(held.map(chunk => chunk.buffer))
    const alive = [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0)
    expect(alive).toBeLessThanOrEqual(4 * 50 * size + 16 * KIBIBYTE)
    expect(held.length).toBeLessThanOrEqual(
      Math.max(50 * Math.min(1, size / 4000), 1 + (50 * size) / 4096) + 1,
    )
    expect(concatBytes(held).filter((_, i) => i % size === 0)).toEqual(
      Uint8Array.from({ length: 50 }, (_, i) => i),
    )
  })

  test('that gathers a chunk that fills its buffer does not copy it', () => {
    const queue = new ByteQueue()
    const chunk = new Uint8Array(64 * KIBIBYTE).subarray(8)
    queue.gather(chunk)
    expect(queue.shift()).toBe(chunk)
  })

  test('lets go of what was taken', () => {
    const queue = new ByteQueue()
    queue.push(new Uint8Array(5))
    queue.gather(new Uint8Array(5))
    queue.clear()
    expect([queue.size, queue.shift()]).toEqual([0, undefined])
  })
})

test('a small piece of a large buffer is copied, also one of Node’s, whose slice is a view', () => {
  const small = Buffer.alloc(100_000).subarray(0, 10)
  expect(ownedBytes(small).buffer.byteLength).toBe(10)
  const large = Buffer.alloc(100_000).subarray(8)
  expect(ownedBytes(large)).toBe(large)
})
