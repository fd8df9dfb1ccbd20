import { DataChannel } from '@sallyport/protocol/data-channel'
import { limitsOf } from '@sallyport/protocol/handshake'
import { decodeMessage } from '@sallyport/protocol/message'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { GatheredOutput } from './gathered-output.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const KIB = 1024

const setUp = () => {
  const sent: Uint8Array[] = []
  const channel = new DataChannel({
    role: 'agent',
    crypto: nodeCrypto,
    now: Date.now,
    transmit: frame => sent.push(decodeMessage(nodeCrypto, frame).payload),
    deliver: () => true,
  })
  channel.agree(limitsOf({ payload: 64 * KIB, window: 256 * KIB }))
  channel.connected()
  return { output: new GatheredOutput(channel), sizes: () => sent.map(payload => payload.length), sent }
}

const chunk = (size: number, fill = 1) => new Uint8Array(size).fill(fill)

test('what a person types comes back at once, byte for byte', () => {
  const { output, sizes } = setUp()
  for (let i = 0; i < 5; i++) output.push(chunk(1))
  expect(sizes()).toEqual([1, 1, 1, 1, 1])
})

test('once much is under way, small pieces travel together, in order', () => {
  const { output, sizes, sent } = setUp()
  for (let i = 0; i < 24; i++) output.push(chunk(4 * KIB, i))
  expect(sizes()).toEqual([...Array(8).fill(4 * KIB), 48 * KIB])
  vi.advanceTimersByTime(2)
  expect(sizes().at(-1)).toBe(16 * KIB)
  const all = Buffer.concat(sent)
  expect(all).toEqual(Buffer.concat(Array.from({ length: 24 }, (_, i) => chunk(4 * KIB, i))))
})

test('nothing is kept back at the end', () => {
  const { output, sizes } = setUp()
  for (let i = 0; i < 9; i++) output.push(chunk(4 * KIB))
  output.push(chunk(100))
  output.flush()
  expect(sizes().reduce((sum, size) => sum + size)).toBe(9 * 4 * KIB + 100)
  expect(vi.getTimerCount()).toBe(0)
})

test('a full channel asks the terminal to wait', () => {
  const { output } = setUp()
  let room = true
  for (let i = 0; i < 100 && room; i++) room = output.push(chunk(4 * KIB))
  expect(room).toBe(false)
})
