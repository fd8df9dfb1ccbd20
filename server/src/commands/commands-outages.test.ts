import { ManualClock } from '@sallyport/protocol/manual-clock'
import type { CommandReply } from '@sallyport/protocol/run-command'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { nodeSubject } from '../bus/bus.ts'
import { openMemoryBus } from '../bus/memory.ts'
import { loggerTo } from '../logger.ts'
import type { Store } from '../store/store.ts'
import { node } from '../store/suite-examples.ts'
import { temporaryStore, testScope } from '../store/testing.ts'
import { Commands, REMINDER_INTERVAL_MS } from './commands.ts'
import { MAX_WAITING_CHARACTERS } from './loop.ts'
import { newCommand } from './testing.ts'

// What goes wrong between the parts: what is lost, comes at the wrong moment, or is too much.

let store: Store
let dispose: () => Promise<void>
let clock: ManualClock
/** A new one for each test, in the same store. */
let scope: typeof testScope
let accounts = 0
let commands: Commands
let published: string[]

beforeAll(async () => {
  ;({ store, dispose } = await temporaryStore())
})
afterAll(() => dispose())
beforeEach(async () => {
  accounts += 1
  scope = { ...testScope, accountId: String(accounts).padStart(12, '0') }
  clock = new ManualClock()
  published = []
  commands = open()
  await commands.start()
})
afterEach(() => commands.close())

function open(over: Partial<Store['commandChanges']> = {}): Commands {
  const bus = {
    ...openMemoryBus({ onError: () => {} }),
    publish: (subject: string) => void published.push(subject),
  }
  const failing = { ...store, commandChanges: { ...store.commandChanges, ...over } }
  return new Commands({ store: failing, bus, scope, clock, logger: loggerTo('silent', { write: () => {} }) })
}

const nodes = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ nodeId: `mi-${i}`, nodeName: `n${i}` }))
const job = (commandId: string) => ({ kind: 'command' as const, commandId })
const success: CommandReply = { status: 'Success', trace: '', steps: [] }

async function details(commandId: string): Promise<Record<string, number>> {
  const counts = await store.invocations.counts(scope, commandId)
  return Object.fromEntries(counts.map(({ details, count }) => [details, count]))
}

describe('nodes that are registered', () => {
  beforeEach(async () => {
    for (const nodeId of ['mi-0', 'mi-1']) await store.nodes.insert(scope, node(nodeId))
  })

  test('end their part of a command when they are deregistered while it is sent', async () => {
    const { insert } = store.commandChanges
    const slow: typeof insert = async (command, invocations) => {
      await store.nodes.deregister(scope, 'mi-0', clock.now())
      await commands.nodeGone('mi-0')
      return insert(command, invocations)
    }
    await commands.close()
    commands = open({ insert: slow })
    const { commandId } = await commands.send(newCommand(), nodes(2))
    await expect.poll(() => details(commandId), { interval: 2 }).toEqual({ Pending: 1, Undeliverable: 1 })
  })

  test('end it also if the server died before it knew of that', async () => {
    const { commandId } = await commands.send(newCommand(), nodes(2))
    await commands.close()
    await store.nodes.deregister(scope, 'mi-0', clock.now())
    commands = open()
    await commands.start()
    await expect.poll(() => details(commandId), { interval: 2 }).toEqual({ Pending: 1, Undeliverable: 1 })
  })

  test('are told again of what they are owed while they are connected, whatever became of the first time', async () => {
    await store.nodes.setConnected(scope, 'mi-0', { epoch: 1, server: 's', now: clock.now() })
    const { commandId } = await commands.send(newCommand(), nodes(2))
    published.splice(0)
    clock.advance(REMINDER_INTERVAL_MS)
    await expect.poll(() => published, { interval: 2 }).toEqual([nodeSubject(scope, 'mi-0')])
    await commands.accepted('mi-0', job(commandId))
    published.splice(0)
    // The next reminder waits for the end of this one.
    await new Promise(resolve => setImmediate(resolve))
    clock.advance(REMINDER_INTERVAL_MS)
    await commands.accepted('mi-0', job(commandId))
    expect(published).toEqual([])
  })
})

test('a store that fails while leftovers are removed is tried again', async () => {
  const deadline = { timeoutSeconds: 30 }
  await commands.send(newCommand({ ...deadline, maxConcurrency: '100%' }), nodes(100))
  const { commandId } = await commands.send(newCommand({ ...deadline, timeoutSeconds: 31 }), nodes(3))
  await commands.close()
  await store.db.deleteFrom('commands').where('commandId', '=', commandId).execute()
  const { remove } = store.commandChanges
  let failures = 0
  const failing: typeof remove = async (of, id) => {
    if (failures++ === 0) throw new Error('the disk is full')
    return await remove(of, id)
  }
  commands = open({ remove: failing })
  await commands.start()
  const left = async () => {
    clock.advance(31_000)
    return await details(commandId)
  }
  await expect.poll(left, { interval: 2 }).toEqual({})
})

test('results wait to be stored up to a limit; who comes then is told to come later', async () => {
  const written = 'x'.repeat(20_000_000)
  const step = { name: 'one', status: 'Success' as const, code: 0, output: '', standardError: '' }
  const steps = [{ ...step, standardOutput: written, startedAt: 1, endedAt: 2 }]
  const report = () => commands.reported('mi-0', 'unknown', { ...success, steps })
  // The first is taken at once.
  const fitting = Array.from({ length: 1 + MAX_WAITING_CHARACTERS / written.length }, report)
  await expect(report()).rejects.toThrow('try again later')
  await Promise.all(fitting)
  await report()
})
