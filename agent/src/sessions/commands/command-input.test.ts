import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { INPUT_STEP, INPUT_WINDOW } from '@sallyport/protocol/input-credit'
import { expect, test } from 'vitest'
import { CommandInput } from './command-input.ts'
import { openPipes } from './pipes.ts'

const MEBIBYTE = 1024 * 1024

test('a million pieces take about as much memory as their bytes, and no more than the window of them is taken', () => {
  const input = new CommandInput(() => {})
  const before = process.memoryUsage()
  // As they come: each a view of what else was read with it.
  for (let i = 0; i < INPUT_WINDOW; i++) input.write(new Uint8Array(2).subarray(1))
  expect(input.write(Uint8Array.of(1))).toBe(false)
  const after = process.memoryUsage()
  const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers
  expect(grown).toBeLessThan(100 * MEBIBYTE)
})

test('input that came in pieces before the command ran is written in order, then its end', async () => {
  const { stdin, stdout, stderr } = await openPipes()
  for (const { ours, theirs } of [stdout, stderr]) for (const fd of [ours, theirs]) closeSync(fd)
  const input = new CommandInput(() => {})
  const sent = Buffer.from(Array.from({ length: 3 * INPUT_STEP + 10 }, (_, i) => i % 251))
  for (let at = 0; at < sent.length; at += 1_000) input.write(sent.subarray(at, at + 1_000))
  input.end()
  input.end()
  expect(input.write(Buffer.from('after the end'))).toBe(true)
  const command = new Socket({ fd: stdin.theirs, readable: true, writable: false })
  input.attach(stdin.ours)
  expect(Buffer.concat(await command.toArray()).equals(sent)).toBe(true)
})
