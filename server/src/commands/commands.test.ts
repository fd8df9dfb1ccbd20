import { ManualClock } from '@sallyport/protocol/manual-clock'
import type { CommandReply } from '@sallyport/protocol/run-command'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { commandSubject, nodeSubject } from '../bus/bus.ts'
import { openMemoryBus } from '../bus/memory.ts'
import { loggerTo } from '../logger.ts'
import type { Store } from '../store/store.ts'
import { temporaryStore, testScope } from '../store/testing.ts'
import { Commands } from './commands.ts'
import { newCommand } from './testing.ts'

const DAY = 24 * 3_600_000

let store: Store
let dispose: () => Promise<void>
let clock: ManualClock
/** A new one for each test, in the same store. */
let scope: typeof testScope
let accounts = 0
let commands: Commands
let bus: ReturnType<typeof openMemoryBus>
let published: string[]
let lines: Array<Record<string, unknown>>
let removed: string[]

beforeAll(async () => {
  ;({ store, dispose } = await temporaryStore())
})
afterAll(() => dispose())
beforeEach(async () => {
  accounts += 1
  scope = { ...testScope, accountId: String(accounts).padStart(12, '0') }
  clock = new ManualClock()
  bus = openMemoryBus({ onError: () => {} })
  published = []
  lines = []
  removed = []
  commands = open()
  await commands.start()
})
afterEach(async () => {
  await commands.close()
  await bus.close()
})

function open(over = store): Commands {
  const heard = { ...bus, publish: (subject: string) => void published.push(subject) }
  const logger = loggerTo('info', { write: line => void lines.push(JSON.parse(line)) })
  const onRemoved = (commandId: string) => void removed.push(commandId)
  return new Commands({ store: over, bus: heard, scope, clock, logger, random: () => 1, onRemoved })
}

const nodes = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ nodeId: `mi-${i}`, nodeName: `n${i}` }))
const job = (commandId: string) => ({ kind: 'command' as const, commandId })
const success: CommandReply = { status: 'Success', trace: '', steps: [] }

async function details(commandId: string): Promise<Record<string, number>> {
  const counts = await store.invocations.counts(scope, commandId)
  return Object.fromEntries(counts.map(({ details, count }) => [details, count]))
}

describe('a command to one node', () => {
  test('is stored, told to the node, taken and finished, and everybody is told of each change', async () => {
    const command = newCommand()
    const made = await commands.send(command, nodes(1))
    expect(made).toMatchObject({
      ...command,
      status: 'Pending',
      targetCount: 1,
      expiresAt: command.requestedAt + 7_200_000,
    })
    expect(published.splice(0)).toEqual([
      commandSubject(scope, command.commandId),
      nodeSubject(scope, 'mi-0'),
    ])
    const [owed, ...more] = await commands.owed('mi-0')
    expect(more).toEqual([])
    expect(owed).toMatchObject({
      ...job(command.commandId),
      job: { jobId: `aws.ssm.${command.commandId}.mi-0`, topic: 'aws.ssm.sendCommand.us-east-1.mi-0' },
    })
    expect(JSON.parse(owed?.job.content ?? '')).toEqual({
      Parameters: { commands: ['true'] },
      DocumentContent: command.documentContent,
      CommandId: command.commandId,
      DocumentName: 'two-steps',
      OutputS3BucketName: '',
      OutputS3KeyPrefix: '',
      CloudWatchLogGroupName: '',
      CloudWatchOutputEnabled: 'false',
    })
    await commands.accepted('mi-0', job(command.commandId))
    expect(await commands.owed('mi-0')).toEqual([])
    expect((await store.invocations.get(scope, command.commandId, 'mi-0'))?.status).toBe('InProgress')
    await commands.reported('mi-0', command.commandId, success)
    expect(published).toEqual([
      commandSubject(scope, command.commandId),
      commandSubject(scope, command.commandId),
    ])
    expect(await store.commands.get(scope, command.commandId)).toMatchObject({
      status: 'Success',
      endedAt: clock.now(),
    })
  })

  test('is cancelled by a job of its own, fresh each time', async () => {
    const { commandId } = await commands.send(newCommand(), nodes(1))
    await commands.accepted('mi-0', job(commandId))
    published.length = 0
    await commands.cancel(commandId)
    expect(published).toContain(nodeSubject(scope, 'mi-0'))
    const [first] = await commands.owed('mi-0')
    const [second] = await commands.owed('mi-0')
    expect(first).toMatchObject({ kind: 'cancel', job: { topic: 'aws.ssm.cancelCommand.us-east-1.mi-0' } })
    expect(JSON.parse(first?.job.content ?? '')).toEqual({ CancelMessageId: `aws.ssm.${commandId}.mi-0` })
    expect(first?.job.jobId).not.toBe(second?.job.jobId)
    await commands.accepted('mi-0', { kind: 'cancel', commandId })
    expect(await commands.owed('mi-0')).toEqual([])
    await commands.reported('mi-0', commandId, { ...success, status: 'Cancelled' })
    expect(await store.commands.get(scope, commandId)).toMatchObject({
      status: 'Cancelled',
      details: 'Cancelled',
    })
  })

  test('that was refused for now comes again after a pause, also if the server restarted', async () => {
    const { commandId } = await commands.send(newCommand(), nodes(1))
    await commands.refused('mi-0', job(commandId), '51402', 'queue full')
    expect(await store.invocations.get(scope, commandId, 'mi-0')).toMatchObject({
      status: 'Delayed',
      traceOutput: 'the node refused the command: 51402 queue full',
    })
    expect(await commands.owed('mi-0')).toEqual([])
    await commands.close()
    commands = open()
    await commands.start()
    published.length = 0
    clock.advance(1_000)
    await expect.poll(() => published, { interval: 2 }).toContain(nodeSubject(scope, 'mi-0'))
    expect(await commands.owed('mi-0')).toHaveLength(1)
  })
})

test('a stock agent is not sent again what it may have forgotten that it ran; ours is', async () => {
  const { commandId } = await commands.send(newCommand(), nodes(2))
  for (const [nodeId, agentName] of [
    ['mi-0', 'amazon-ssm-agent'],
    ['mi-1', 'sallyport-agent'],
  ] as const) {
    await store.nodes.insert(scope, {
      nodeId,
      kind: 'managed-instance',
      publicKey: '',
      fingerprint: '',
      registeredAt: 1,
    })
    await store.nodes.updateInformation(scope, nodeId, { agentName }, 1)
    commands.sent(nodeId, [commandId])
  }
  await commands.cancel('none')
  clock.advance(25 * 60_000)
  expect(await commands.owed('mi-0')).toHaveLength(1)
  clock.advance(1)
  expect(await commands.owed('mi-0')).toEqual([])
  expect(await commands.owed('mi-1')).toHaveLength(1)
})

test('a node is owed the oldest hundred of its commands', async () => {
  const sent: string[] = []
  for (let i = 0; i < 102; i += 1) {
    const command = newCommand({ requestedAt: clock.now() + ((i * 37) % 102) })
    sent[(i * 37) % 102] = command.commandId
    await commands.send(command, nodes(1))
  }
  expect((await commands.owed('mi-0')).map(({ commandId }) => commandId)).toEqual(sent.slice(0, 100))
})

describe('targets that are refused', () => {
  const refuse = (refused: 'AccessDenied' | 'InvalidPlatform', targets = nodes(2)) =>
    targets.map(target => ({ ...target, refused }))

  test('are Failed at once, and a command with no others too', async () => {
    for (const reason of ['AccessDenied', 'InvalidPlatform'] as const) {
      const made = await commands.send(newCommand(), refuse(reason))
      expect(made).toMatchObject({
        status: 'Failed',
        details: reason,
        endedAt: clock.now(),
        completedCount: 2,
      })
      expect(await details(made.commandId)).toEqual({ [reason]: 2 })
    }
    expect(await commands.send(newCommand(), [])).toMatchObject({
      status: 'Failed',
      details: 'NoInstancesInTag',
    })
  })

  test('are neither errors nor in the way of others', async () => {
    const [first, ...others] = nodes(4)
    const given = [
      ...refuse('AccessDenied', others.slice(1)),
      ...others.slice(0, 1),
      ...(first ? [first] : []),
    ]
    const { commandId } = await commands.send(newCommand({ maxConcurrency: '1' }), given)
    await commands.reported('mi-1', commandId, success)
    await commands.reported('mi-0', commandId, success)
    expect(await store.commands.get(scope, commandId)).toMatchObject({ details: 'Incomplete', errorCount: 0 })
  })
})

describe('a command to very many nodes', () => {
  test('is stopped, cancelled and timed out in several steps, to the last of them', async () => {
    const many = nodes(450)
    const stopped = await commands.send(newCommand({ maxConcurrency: '2' }), many)
    await commands.reported('mi-0', stopped.commandId, { ...success, status: 'Failed' })
    await expect
      .poll(() => details(stopped.commandId), { interval: 2 })
      .toEqual({ Failed: 1, Terminated: 448, Pending: 1 })
    expect(await commands.owed('mi-2')).toEqual([])

    const cancelled = await commands.send(newCommand({ maxConcurrency: '100%' }), many)
    for (const { nodeId } of many.slice(0, 250)) void commands.accepted(nodeId, job(cancelled.commandId))
    await commands.cancel(cancelled.commandId)
    await expect
      .poll(() => details(cancelled.commandId), { interval: 2 })
      .toEqual({ Cancelling: 250, Cancelled: 200 })

    const late = await commands.send(newCommand({ maxConcurrency: '300', timeoutSeconds: 30 }), many)
    clock.advance(30_000)
    await expect.poll(() => details(late.commandId), { interval: 2 }).toEqual({ DeliveryTimedOut: 450 })
    expect((await store.commands.get(scope, late.commandId))?.details).toBe('DeliveryTimedOut')
  })

  test('goes on where the server was killed', async () => {
    const { commandId } = await commands.send(newCommand({ maxConcurrency: '100%' }), nodes(250))
    await commands.close()
    // Stored that it is cancelled, and no more.
    await store.commandChanges.change(scope, async changes => {
      for (const command of await changes.commands([commandId])) {
        await changes.saveCommand({ ...command, cancelRequestedAt: clock.now() })
      }
    })
    commands = open()
    await commands.start()
    await expect.poll(() => details(commandId), { interval: 2 }).toEqual({ Cancelled: 250 })
  })
})

test('a start looks once at what is under way, however much it is', async () => {
  await commands.send(newCommand({ maxConcurrency: '100%' }), nodes(250))
  await commands.close()
  let batches = 0
  const { change } = store.commandChanges
  const counted: typeof change = (of, work) => {
    batches += 1
    return change(of, work)
  }
  commands = open({ ...store, commandChanges: { ...store.commandChanges, change: counted } })
  await commands.start()
  for (let i = 1; i <= 5; i += 1) await commands.cancel('none')
  expect(batches).toBeLessThanOrEqual(6)
})

test('what an interrupted request to send left behind is removed', async () => {
  const { commandId } = await commands.send(newCommand({ timeoutSeconds: 30 }), nodes(3))
  await commands.close()
  await store.db.deleteFrom('commands').where('commandId', '=', commandId).execute()
  commands = open()
  await commands.start()
  expect(await commands.owed('mi-0')).toEqual([])
  clock.advance(30_000)
  await expect.poll(() => details(commandId), { interval: 2 }).toEqual({})
})

test('notifications are logged for the events and of the kind that were asked for', async () => {
  const config = (NotificationType: string, NotificationEvents: string[]) => {
    return {
      settings: { NotificationConfig: { NotificationArn: 'arn', NotificationType, NotificationEvents } },
    }
  }
  const told = () =>
    lines.splice(0).map(({ msg, commandId, nodeId, status }) => ({ msg, commandId, nodeId, status }))
  const msg = 'command notification'
  const whole = await commands.send(newCommand(config('Command', ['All'])), nodes(2))
  expect(told()).toEqual([{ msg, commandId: whole.commandId, status: 'InProgress' }])
  for (const { nodeId } of nodes(2)) await commands.reported(nodeId, whole.commandId, success)
  expect(told()).toEqual([{ msg, commandId: whole.commandId, status: 'Success' }])
  const each = await commands.send(newCommand(config('Invocation', ['Failed'])), nodes(2))
  await commands.reported('mi-0', each.commandId, success)
  await commands.reported('mi-1', each.commandId, { ...success, status: 'Failed' })
  expect(told()).toEqual([{ msg, commandId: each.commandId, nodeId: 'mi-1', status: 'Failed' }])
})

test('what was sent 30 days ago is removed with all that belongs to it', async () => {
  const old = await commands.send(newCommand(), nodes(2))
  const step = {
    name: 'one',
    status: 'Success' as const,
    code: 0,
    output: '',
    standardOutput: '',
    standardError: '',
    startedAt: 1,
    endedAt: 2,
  }
  for (const { nodeId } of nodes(2)) {
    await commands.reported(nodeId, old.commandId, { ...success, steps: [step] })
  }
  clock.advance(30 * DAY - 3_600_000)
  const young = await commands.send(newCommand({ requestedAt: clock.now() }), [])
  const later = () => {
    clock.advance(3_600_000)
    return store.commands.get(scope, old.commandId)
  }
  await expect.poll(later, { interval: 2 }).toBeUndefined()
  expect(removed).toEqual([old.commandId])
  expect(await details(old.commandId)).toEqual({})
  expect(await store.stepResults.of(scope, old.commandId, ['mi-0', 'mi-1'])).toEqual([])
  expect(await store.commands.get(scope, young.commandId)).toBeDefined()
})

test('unknown commands and nodes are no error, and a store that fails is one', async () => {
  await commands.reported('mi-0', 'unknown', success)
  await commands.accepted('mi-0', job('unknown'))
  await commands.nodeGone('mi-0')
  const { commandId } = await commands.send(newCommand(), nodes(1))
  await store.db.schema.alterTable('invocations').renameTo('elsewhere').execute()
  await expect(commands.reported('mi-0', commandId, success)).rejects.toMatchObject({ name: 'StoreError' })
  await store.db.schema.alterTable('elsewhere').renameTo('invocations').execute()
  await commands.reported('mi-0', commandId, success)
  expect((await store.commands.get(scope, commandId))?.status).toBe('Success')
})
