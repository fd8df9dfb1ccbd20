import { ManualClock } from '@sallyport/protocol/manual-clock'
import type { CommandReply } from '@sallyport/protocol/run-command'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { nodeSubject } from '../bus/bus.ts'
import { openMemoryBus } from '../bus/memory.ts'
import { loggerTo } from '../logger.ts'
import { StoreError } from '../store/errors.ts'
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

  test('end it also if the store fails at that moment', async () => {
    const { commandId } = await commands.send(newCommand(), nodes(2))
    await commands.close()
    let failures = 0
    const change: Store['commandChanges']['change'] = async (of, work) => {
      if (failures++ === 0) throw new StoreError('busy', 'later')
      return await store.commandChanges.change(of, work)
    }
    commands = open({ change })
    await expect(commands.nodeGone('mi-0')).rejects.toThrow('later')
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

describe('a batch that the store refuses', () => {
  /** How often something was to be stored; `error` comes of what has to do with mi-2. */
  async function openRefusing(error: Error): Promise<() => number> {
    let times = 0
    const change: Store['commandChanges']['change'] = (of, work) =>
      store.commandChanges.change(of, changes => {
        times += 1
        const save = changes.saveInvocations.bind(changes)
        changes.saveInvocations = async rows => {
          if (rows.some(({ nodeId }) => nodeId === 'mi-2')) throw error
          await save(rows)
        }
        return work(changes)
      })
    await commands.close()
    commands = open({ change })
    return () => times
  }
  const acceptAll = async () => {
    const { commandId } = await commands.send(newCommand({ maxConcurrency: '100%' }), nodes(5))
    const given = nodes(5).map(({ nodeId }) => commands.accepted(nodeId, job(commandId)))
    const settled = await Promise.allSettled(given)
    return { commandId, refused: settled.map(({ status }) => status === 'rejected') }
  }

  test.each([
    ['constraint', new StoreError('constraint', 'no')],
    ['failed', new StoreError('failed', 'no')],
    ['a mistake of ours', new TypeError('x is not a function')],
  ])('for one request (%s) fails only that', async (_name, error) => {
    await openRefusing(error)
    const { commandId, refused } = await acceptAll()
    expect(refused).toEqual([false, false, true, false, false])
    expect(await details(commandId)).toEqual({ InProgress: 4, Pending: 1 })
  })

  test.each(['busy', 'full'] as const)('since it is %s is not tried in pieces', async code => {
    const times = await openRefusing(new StoreError(code, 'later'))
    const { commandId, refused } = await acceptAll()
    // The first goes alone, the others together.
    expect(refused).toEqual([false, true, true, true, true])
    expect(times()).toBe(2)
    expect(await details(commandId)).toEqual({ InProgress: 1, Pending: 4 })
  })
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
