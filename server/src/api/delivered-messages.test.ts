import { ManualClock } from '@sallyport/protocol/manual-clock'
import { CANCEL_TOPIC, SEND_TOPIC } from '@sallyport/protocol/run-command'
import { expect, test } from 'vitest'
import type { OwedJob } from '../commands/commands.ts'
import { DeliveredMessages, HIDDEN_MS, MAXIMUM_MESSAGES, messageIdOf } from './delivered-messages.ts'

const NODE = 'mi-1'
const command = (commandId: string): OwedJob => ({
  kind: 'command',
  commandId,
  job: { jobId: `aws.ssm.${commandId}.${NODE}`, topic: SEND_TOPIC, content: '{}' },
})
const cancel = (commandId: string, uuid: string): OwedJob => ({
  kind: 'cancel',
  commandId,
  job: { jobId: uuid, topic: CANCEL_TOPIC, content: '{}' },
})
const ids = (jobs: readonly OwedJob[]) => jobs.map(({ kind, commandId }) => `${kind} ${commandId}`)

test('what was delivered stays hidden for ten seconds, from its node and in its kind', async () => {
  const clock = new ManualClock()
  const delivered = new DeliveredMessages(clock)
  expect(ids(delivered.take(NODE, [command('c')]))).toEqual(['command c'])
  expect(ids(delivered.take(NODE, [command('c'), cancel('c', 'u')]))).toEqual(['cancel c'])
  expect(ids(delivered.take('mi-2', [command('c')]))).toEqual(['command c'])
  await clock.play(HIDDEN_MS - 1)
  expect(delivered.take(NODE, [command('c'), cancel('c', 'v')])).toEqual([])
  await clock.play(1)
  expect(ids(delivered.take(NODE, [command('c'), cancel('c', 'v')]))).toEqual(['command c', 'cancel c'])
})

test('is told when the first of what is hidden may be delivered again', async () => {
  const clock = new ManualClock()
  const delivered = new DeliveredMessages(clock)
  expect(delivered.hiddenFor(NODE, [command('a')])).toBeUndefined()
  delivered.take(NODE, [command('a')])
  await clock.play(1000)
  delivered.take(NODE, [command('b')])
  expect(delivered.hiddenFor(NODE, [command('b'), command('a'), command('c')])).toBe(HIDDEN_MS - 1000)
  expect(delivered.hiddenFor(NODE, [command('b'), cancel('a', 'u')])).toBe(HIDDEN_MS)
  expect(delivered.hiddenFor('mi-2', [command('a')])).toBeUndefined()
})

test('more than ten go out one after the other', () => {
  const delivered = new DeliveredMessages(new ManualClock())
  const owed = Array.from({ length: MAXIMUM_MESSAGES + 3 }, (_, i) => command(`c${i}`))
  expect(ids(delivered.take(NODE, owed))).toEqual(ids(owed.slice(0, MAXIMUM_MESSAGES)))
  expect(ids(delivered.take(NODE, owed))).toEqual(ids(owed.slice(MAXIMUM_MESSAGES)))
})

test('a cancelling message has an id of its own, of which is known for minutes what it cancels', async () => {
  const clock = new ManualClock()
  const delivered = new DeliveredMessages(clock)
  const [job] = delivered.take(NODE, [cancel('c', 'u')])
  const id = job && messageIdOf(NODE, job)
  expect(id).toBe('aws.ssm.u.mi-1')
  await clock.play(9 * 60_000)
  delivered.take(NODE, [])
  expect(delivered.cancelledBy('aws.ssm.u.mi-1')).toBe('c')
  await clock.play(60_000)
  delivered.take(NODE, [])
  expect(delivered.cancelledBy('aws.ssm.u.mi-1')).toBeUndefined()
})
