import { closeSync, readdirSync, readSync, writeSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type OutputPipes, takePipes } from './output-pipes.ts'

const descriptors = () => readdirSync('/proc/self/fd').length

async function taken(): Promise<OutputPipes> {
  const pipes = await takePipes()
  if (pipes === undefined) throw new Error('no pipes')
  return pipes
}

function readAll(fd: number): string {
  const buffer = Buffer.alloc(100)
  return buffer.toString('utf8', 0, readSync(fd, buffer))
}

function close({ stdout, stderr }: OutputPipes): void {
  for (const fd of [stdout.ours, stderr.ours]) closeSync(fd)
}

test('pipes are used again, with nothing in them, and leave no descriptors open', async () => {
  const first = await taken()
  for (const { theirs } of [first.stdout, first.stderr]) closeSync(theirs)
  close(first)
  first.giveBack(true)
  const before = descriptors()
  for (const text of ['one', 'two']) {
    const pipes = await taken()
    writeSync(pipes.stdout.theirs, text)
    for (const { theirs } of [pipes.stdout, pipes.stderr]) closeSync(theirs)
    expect(readAll(pipes.stdout.ours)).toBe(text)
    // The end: there is no other writer.
    expect(readAll(pipes.stdout.ours)).toBe('')
    expect(readAll(pipes.stderr.ours)).toBe('')
    close(pipes)
    pipes.giveBack(true)
    expect(descriptors()).toBe(before)
  }
})

test('pipes that were not emptied are not used again', async () => {
  const pipes = await taken()
  writeSync(pipes.stdout.theirs, 'secret')
  for (const { theirs } of [pipes.stdout, pipes.stderr]) closeSync(theirs)
  close(pipes)
  pipes.giveBack(false)
  const next = await taken()
  for (const { theirs } of [next.stdout, next.stderr]) closeSync(theirs)
  expect(readAll(next.stdout.ours)).toBe('')
  close(next)
  next.giveBack(true)
})
