import { ManualClock } from '@sallyport/protocol/manual-clock'
import { beforeEach, expect, test } from 'vitest'
import type { CommandSummary } from '../store/commands.ts'
import type { InvocationCount } from '../store/invocations.ts'
import { CommandLooks, type WantedLook } from './command-looks.ts'

let clock: ManualClock
let looks: CommandLooks
let revision: number
let counted: number
let fails: boolean

beforeEach(() => {
  clock = new ManualClock()
  looks = new CommandLooks(clock)
  revision = 5
  counted = 0
  fails = false
})

const look = async (after: number, more: Partial<WantedLook> = {}) => {
  const { command, counts } = await looks.look({
    commandId: 'c',
    after,
    maxAgeMs: 100,
    summary: async () => ({ revision }) as CommandSummary,
    counts: async () => {
      counted += 1
      if (fails) throw new Error('the store failed')
      return [{ count: revision }] as InvocationCount[]
    },
    ...more,
  })
  return [command.revision, counts[0]?.count]
}

test('who asks at the same time, or soon after, shares what one has found', async () => {
  expect(await Promise.all([look(0), look(1), look(4)])).toEqual([
    [5, 5],
    [5, 5],
    [5, 5],
  ])
  revision = 6
  clock.advance(99)
  expect(await look(0)).toEqual([5, 5])
  expect(counted).toBe(1)
  clock.advance(1)
  expect(await look(0)).toEqual([6, 6])
})

test('who knows that already is told what is new, at once', async () => {
  await look(0)
  revision = 6
  expect(await look(5)).toEqual([6, 6])
  expect(await look(5)).toEqual([6, 6])
  expect(counted).toBe(2)
})

test('what has not changed is not counted again, however long ago it was', async () => {
  await look(0)
  clock.advance(10_000)
  expect(await look(5, { maxAgeMs: 0 })).toEqual([5, 5])
  expect(counted).toBe(1)
})

test('commands are looked at for themselves, and what failed is tried again', async () => {
  fails = true
  await expect(look(0)).rejects.toThrow('the store failed')
  fails = false
  expect(await look(0)).toEqual([5, 5])
  await look(0, { commandId: 'another' })
  expect(counted).toBe(3)
})

test('of many commands the latest are remembered', async () => {
  for (let i = 0; i <= 100; i++) await look(0, { commandId: `c-${i}` })
  await look(0, { commandId: 'c-1' })
  expect(counted).toBe(101)
  await look(0, { commandId: 'c-0' })
  expect(counted).toBe(102)
})
