import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { CommandRecords } from './command-records.ts'
import { EndedCommands } from './ended-commands.ts'

const DAY = 24 * 3600_000
const NOW = 1_700_000_000_000
const JOB = { acceptedAt: NOW, atOnce: true, boot: 'boot', content: '' }
const idOf = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`

async function openEnded() {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-ended-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const records = new CommandRecords(directory)
  const removed: string[] = []
  const ended = new EndedCommands(
    records,
    () => {},
    id => removed.push(id),
  )
  const add = async (number: number, endedAt: number, bytes = 0) => {
    await records.accept(idOf(number), JOB)
    if (bytes > 0) writeFileSync(join(directory, idOf(number), 'stdout'), Buffer.alloc(bytes, 1))
    await ended.add(idOf(number), endedAt)
  }
  return { directory, records, ended, removed, add }
}

test('commands are forgotten after two weeks', async () => {
  const { directory, ended, removed, add } = await openEnded()
  await add(1, NOW - 14 * DAY)
  await add(2, NOW - 14 * DAY + 1)
  await ended.tidy(NOW, [])
  expect(removed).toEqual([idOf(1)])
  expect(readdirSync(directory)).toEqual([idOf(2)])
})

test('of more than a thousand the oldest go', async () => {
  const { directory, ended, removed, add } = await openEnded()
  for (let number = 0; number < 1_002; number++) await add(number, NOW)
  expect(ended.crowded).toBe(true)
  await ended.tidy(NOW, [])
  expect(removed).toEqual([idOf(0), idOf(1)])
  expect(readdirSync(directory)).toHaveLength(1_000)
  expect(ended.crowded).toBe(false)
})

test('all together take at most a gibibyte: the oldest go for those that run', async () => {
  const { records, directory, ended, removed, add } = await openEnded()
  const running = idOf(9)
  await records.accept(running, JOB)
  const sizes: Record<string, number> = { [running]: 500 * 1024 ** 2 }
  const size = records.size.bind(records)
  records.size = async id => sizes[id] ?? (await size(id))
  for (const number of [1, 2, 3]) {
    sizes[idOf(number)] = 300 * 1024 ** 2
    await add(number, NOW)
  }
  await ended.tidy(NOW, [running])
  expect(removed).toEqual([idOf(1), idOf(2)])
  expect(ended.full).toBe(false)
  sizes[running] = 1024 ** 3 + 1
  await ended.tidy(NOW, [running])
  expect(removed).toHaveLength(3)
  expect(ended.full).toBe(true)
  expect(readdirSync(directory)).toEqual([running])
})

test('the size of a command is that of everything in it; links count for themselves', async () => {
  const { directory, records, add } = await openEnded()
  await add(1, NOW, 3 * 1024 ** 2)
  expect(await records.size(idOf(1))).toBeGreaterThanOrEqual(3 * 1024 ** 2)
  expect(await records.size(idOf(1))).toBeLessThan(4 * 1024 ** 2)
  // A hole takes no room.
  writeFileSync(join(directory, idOf(1), 'hole'), '')
  truncateSync(join(directory, idOf(1), 'hole'), 1024 ** 3)
  expect(await records.size(idOf(1))).toBeLessThan(4 * 1024 ** 2)
})

test('what was being removed when the agent died is removed by the next, and never run', async () => {
  const { directory, records, add } = await openEnded()
  await add(1, NOW)
  renameSync(join(directory, idOf(1)), join(directory, `.removed-${idOf(1)}`))
  mkdirSync(join(directory, idOf(2)))
  mkdirSync(join(directory, 'not a command'))
  expect(await records.load()).toEqual([])
  expect(readdirSync(directory)).toEqual(['not a command'])
})
