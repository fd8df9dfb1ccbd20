import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FrameQueue } from './frame-queue.ts'
import { frameOf } from './testing.ts'

test('is a list of frames, to the byte, whatever their sizes and whoever comes and goes', () => {
  const step = fc.oneof(fc.integer({ min: 0, max: 40_000 }), fc.constant(-1))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const queue = new FrameQueue()
      const naive: Uint8Array[] = []
      for (const size of steps) {
        if (size === -1) expect(queue.shift()).toEqual(naive.shift())
        else {
          const frame = frameOf({ payload: new Uint8Array(size).fill(size) })
          naive.push(frame)
          queue.push(frame)
        }
        expect(queue.byteLength).toBe(naive.reduce((sum, { length }) => sum + length, 0))
      }
      for (const frame of naive) expect(queue.shift()).toEqual(frame)
      expect(queue.shift()).toBeUndefined()
    }),
    { numRuns: 30 },
  )
})

test('keeps nothing alive but the bytes of its frames', () => {
  const queue = new FrameQueue()
  const buffers = new Set<ArrayBufferLike>()
  for (let i = 0; i < 1000; i++) {
    const read = new Uint8Array(65_536)
    const frame = frameOf({})
    read.set(frame)
    queue.push(read.subarray(0, frame.length))
  }
  const { byteLength } = queue
  for (let frame = queue.shift(); frame !== undefined; frame = queue.shift()) buffers.add(frame.buffer)
  const kept = [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0)
  expect(kept).toBeLessThan(byteLength + 2 * 16_384)
})

test('forgets all of it', () => {
  const queue = new FrameQueue()
  queue.push(frameOf({}))
  queue.clear()
  expect(queue.byteLength).toBe(0)
  expect(queue.shift()).toBeUndefined()
})
