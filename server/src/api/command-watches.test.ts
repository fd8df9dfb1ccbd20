import { ManualClock } from '@sallyport/protocol/manual-clock'
import { beforeEach, expect, test } from 'vitest'
import { type Bus, commandSubject } from '../bus/bus.ts'
import { openMemoryBus } from '../bus/memory.ts'
import { CommandWatches, MAXIMUM_WATCHES } from './command-watches.ts'

const scope = { accountId: '123456789012', region: 'us-east-1' }
const commandId = 'c'
const subject = commandSubject(scope, commandId)

let clock: ManualClock
let bus: Bus
let watches: CommandWatches
let value: number
let looks: number

beforeEach(() => {
  clock = new ManualClock()
  bus = openMemoryBus({ onError: () => {} })
  watches = new CommandWatches({ bus, scope, clock })
  value = 0
  looks = 0
})

const turn = () => new Promise(resolve => setImmediate(resolve))
async function change(to: number): Promise<void> {
  value = to
  await bus.publish(subject, { type: 'changed' })
  await turn()
  await turn()
}

function wait(more: Partial<Parameters<CommandWatches['until']>[0]> = {}): Promise<unknown> {
  const look = async () => {
    looks++
    return { answer: value, done: value >= 2 }
  }
  return watches.until({ commandId, ms: 20_000, gone: new AbortController().signal, look, ...more })
}

test('waits until there is something to tell', async () => {
  const waiting = wait()
  await change(1)
  expect([looks, watches.size]).toEqual([2, 1])
  await change(2)
  expect(await waiting).toBe(2)
  expect([watches.size, clock.pending]).toEqual([0, 0])
})

test('misses nothing that happens while it looks', async () => {
  let first = true
  const look = async () => {
    const answer = value
    if (first) await change(2)
    first = false
    return { answer, done: answer === 2 }
  }
  expect(await wait({ look })).toBe(2)
})

test('does not look for events that do not concern it', async () => {
  const waiting = wait({ concerns: event => event === 'mine' })
  await change(2)
  expect(looks).toBe(1)
  await bus.publish(subject, 'mine')
  expect(await waiting).toBe(2)
})

test('answers with what there is when the time is up, and does not wait where none is given', async () => {
  const waiting = wait()
  await change(1)
  clock.advance(20_000)
  expect(await waiting).toBe(1)
  expect(await wait({ ms: 0 })).toBe(1)
  expect(clock.pending).toBe(0)
})

test('tells together what changes within a short time', async () => {
  const waiting = wait({ gatherMs: 100 })
  await change(2)
  expect(looks).toBe(0)
  clock.advance(100)
  expect(await waiting).toBe(2)
  expect(looks).toBe(1)
})

test('lets everybody go who has gone, and all at the end', async () => {
  const gone = new AbortController()
  const left = wait({ gone: gone.signal })
  const others = [wait(), wait()]
  await turn()
  gone.abort()
  expect(await left).toBe(0)
  expect(watches.size).toBe(2)
  watches.close()
  expect(await Promise.all(others)).toEqual([0, 0])
  expect(await wait()).toBe(0)
  expect([watches.size, clock.pending]).toEqual([0, 0])
})

test('no more wait than may', async () => {
  const waiting = Array.from({ length: MAXIMUM_WATCHES }, () => wait())
  await turn()
  expect(watches.size).toBe(MAXIMUM_WATCHES)
  expect(await wait()).toBe(0)
  watches.close()
  await Promise.all(waiting)
})

test('a look that fails leaves nothing behind', async () => {
  await expect(wait({ look: () => Promise.reject(new Error('no')) })).rejects.toThrow('no')
  expect([watches.size, clock.pending]).toEqual([0, 0])
})
