import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, readdirSync, readSync, writeSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { closePipes, givePipes, openPipes } from './pipes.ts'

const openDescriptors = () => readdirSync('/proc/self/fd').length

test('each pipe joins its two ends, and nobody else holds one', async () => {
  const pipes = await openPipes()
  const { stdin, stdout } = pipes
  const buffer = Buffer.alloc(16)
  writeSync(stdin.ours, 'in')
  expect(buffer.subarray(0, readSync(stdin.theirs, buffer)).toString()).toBe('in')
  expect(() => readSync(stdout.ours, buffer), 'ours does not block').toThrow('EAGAIN')
  closeSync(stdin.ours)
  expect(readSync(stdin.theirs, buffer), 'the end of the input').toBe(0)
  closeSync(stdout.theirs)
  expect(readSync(stdout.ours, buffer)).toBe(0)
  for (const fd of [stdin.theirs, stdout.ours, pipes.stderr.ours, pipes.stderr.theirs]) closeSync(fd)
})

test('nothing stays open', async () => {
  closePipes(await openPipes())
  const before = openDescriptors()
  for (let i = 0; i < 5; i++) closePipes(await openPipes())
  expect(openDescriptors()).toBe(before)
})

test.runIf(process.getuid?.() === 0)('their new owner can open them by name', async () => {
  const pipes = await openPipes()
  onTestFinished(() => closePipes(pipes))
  givePipes(pipes, { uid: 1, gid: 1 })
  writeSync(pipes.stdin.ours, 'input')
  const script = 'head -c 5 /dev/stdin >/dev/stdout; echo problem >/dev/stderr'
  const { stdin, stdout, stderr } = pipes
  const child = spawn('/bin/sh', ['-c', script], {
    uid: 1,
    gid: 1,
    stdio: [stdin.theirs, stdout.theirs, stderr.theirs],
  })
  expect(await once(child, 'exit')).toEqual([0, null])
  const buffer = Buffer.alloc(64)
  expect(buffer.toString('utf8', 0, readSync(stdout.ours, buffer))).toBe('input')
  expect(buffer.toString('utf8', 0, readSync(stderr.ours, buffer))).toBe('problem\n')
})
