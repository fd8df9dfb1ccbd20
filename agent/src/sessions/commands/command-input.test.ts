import { INPUT_STEP, INPUT_WINDOW } from '@sallyport/protocol/input-credit'
import { expect, onTestFinished, test } from 'vitest'
import { CommandInput } from './command-input.ts'
import { closePipes, openPipes } from './pipes.ts'

const MEBIBYTE = 1024 * 1024

test('a million pieces take about as much memory as their bytes, and no more than the window of them', () => {
  const input = new CommandInput(() => {})
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  // As they come: each a view of what else was read with it.
  for (let i = 0; i < INPUT_WINDOW; i++) input.write(new Uint8Array(2).subarray(1))
  expect(input.write(Uint8Array.of(1))).toBe(false)
  global.gc?.()
  const after = process.memoryUsage()
  expect(after.heapUsed + after.arrayBuffers - heapUsed - arrayBuffers).toBeLessThan(64 * MEBIBYTE)
})

test('input that came in pieces before the command ran is written in order, then its end', async () => {
  const pipes = await openPipes()
  const { Socket } = await import('node:net')
  let rooms = 0
  const input = new CommandInput(() => rooms++)
  const sent = Buffer.from(Array.from({ length: INPUT_STEP + 10 }, (_, i) => i % 251))
  for (let at = 0; at < sent.length; at += 1_000) input.write(sent.subarray(at, at + 1_000))
  input.end()
  input.end()
  expect(input.write(Buffer.from('after the end'))).toBe(true)
  const { stdin, ...others } = pipes
  closePipes({ ...others, stdin: others.stdout } as never)
  const reader = new Socket({ fd: stdin.theirs, readable: true, writable: false })
  onTestFinished(() => void reader.destroy())
  input.attach(stdin.ours)
  expect(Buffer.concat(await reader.toArray()).equals(sent)).toBe(true)
  expect(rooms).toBe(0)
})
