import { describe, expect, test } from 'vitest'
import type { InvocationRow } from '../store/schema.ts'
import { afterEvent, CANCEL_LIMIT_MS, EXECUTION_GRACE_MS, type InvocationEvent } from './invocation.ts'
import { pauseAfter } from './refusal.ts'

const waiting: InvocationRow = {
  accountId: '1',
  region: 'r',
  commandId: 'c',
  nodeId: 'n',
  position: 0,
  nodeName: '',
  status: 'Pending',
  details: 'Pending',
  owed: null,
  notBefore: null,
  refusals: 0,
  releasedAt: null,
  sentAt: null,
  acceptedAt: null,
  endedAt: null,
  deadline: 1_000_000,
  traceOutput: '',
  revision: 1,
}
const given = { deliveryDeadline: 1_000_000, executionMs: 5_000 }

/** Events with the times at which they come. */
function after(...events: Array<[now: number, event: InvocationEvent]>): InvocationRow {
  return events.reduce((row, [now, event]) => afterEvent(row, event, { now, ...given }), waiting)
}

const release: InvocationEvent = { kind: 'release' }
const sent: InvocationEvent = { kind: 'sent' }
const accepted: InvocationEvent = { kind: 'accepted', job: 'command' }
const cancel: InvocationEvent = { kind: 'cancel' }
const due: InvocationEvent = { kind: 'due' }
const refused = (jitter: number | undefined): InvocationEvent => {
  return { kind: 'refused', job: 'command', jitter, why: 'full' }
}
const reported = (status: 'InProgress' | 'Success' | 'Failed' | 'SuccessAndReboot'): InvocationEvent => {
  return { kind: 'reported', status, trace: '' }
}

describe('what is cancelled', () => {
  test('ends at once if no node can have it, and otherwise when the node says so or has been silent', () => {
    expect(after([1, cancel])).toMatchObject({ status: 'Cancelled', endedAt: 1 })
    expect(after([1, release], [2, cancel])).toMatchObject({ status: 'Cancelled', owed: null })
    expect(after([1, release], [2, sent], [3, refused(1)], [4, cancel])).toMatchObject({
      status: 'Cancelled',
    })
    const unsure = after([1, release], [2, sent], [3, cancel])
    expect(unsure).toMatchObject({ status: 'Cancelling', owed: 'cancel', deadline: 3 + CANCEL_LIMIT_MS })
    expect(after([1, release], [2, sent], [900_000, cancel]).deadline).toBe(1_000_000)
    const running = after([1, release], [2, sent], [3, accepted], [900_000, cancel])
    expect(running.deadline).toBe(900_000 + CANCEL_LIMIT_MS)
    expect(afterEvent(running, due, { now: 900_000 + CANCEL_LIMIT_MS, ...given })).toMatchObject({
      status: 'Cancelled',
      owed: 'cancel',
    })
  })

  test('is cancelled on the node too when it was on its way', () => {
    const gone = [
      [1, release],
      [2, cancel],
    ] as const
    expect(
      after(...gone.map(([at, event]): [number, InvocationEvent] => [at, event]), [3, sent]),
    ).toMatchObject({
      status: 'Cancelled',
      owed: 'cancel',
    })
    expect(after([1, release], [2, cancel], [3, accepted]).owed).toBe('cancel')
    expect(after([1, release], [2, cancel], [3, reported('InProgress')]).owed).toBe('cancel')
    expect(after([1, release], [2, cancel], [3, reported('Success')])).toMatchObject({
      status: 'Cancelled',
      owed: null,
    })
  })

  test('is told again to a node that took the command only after it was told to cancel it', () => {
    const told = after([1, release], [2, sent], [3, cancel], [4, { kind: 'accepted', job: 'cancel' }])
    expect(told.owed).toBeNull()
    expect(afterEvent(told, accepted, { now: 5, ...given })).toMatchObject({
      status: 'Cancelling',
      owed: 'cancel',
    })
  })

  test('is not told for ever to a node that refuses to cancel', () => {
    const no: InvocationEvent = { kind: 'refused', job: 'cancel', jitter: 1, why: 'full' }
    let row = after([1, release], [2, sent], [3, accepted], [4, cancel])
    let now = 5
    for (let i = 0; i < 10; i += 1) {
      row = afterEvent(row, no, { now, ...given })
      now = row.deadline ?? now
      row = afterEvent(row, due, { now, ...given })
      expect(row).toMatchObject({ owed: 'cancel', notBefore: null })
    }
    row = afterEvent(row, no, { now, ...given })
    expect(row).toMatchObject({ status: 'Cancelling', owed: null })
    expect(afterEvent(row, due, { now: now + CANCEL_LIMIT_MS, ...given }).status).toBe('Cancelled')
  })
})

test('a command that a node has and does not finish times out, and the node is told to stop', () => {
  const running = after([1, release], [10, accepted])
  const deadline = 10 + 5_000 + EXECUTION_GRACE_MS
  expect(running.deadline).toBe(deadline)
  expect(afterEvent(running, due, { now: deadline - 1, ...given })).toBe(running)
  const late = afterEvent(running, due, { now: deadline, ...given })
  expect(late).toMatchObject({ status: 'TimedOut', details: 'ExecutionTimedOut', owed: 'cancel' })
  const answered = afterEvent(late, reported('Failed'), { now: deadline + 1, ...given })
  expect(answered).toMatchObject({ details: 'ExecutionTimedOut', owed: null, deadline: null })
})

test('a node that is restarting is in progress, and what it does for one that has no turn yet is ignored', () => {
  expect(after([1, release], [2, reported('SuccessAndReboot')])).toMatchObject({
    status: 'InProgress',
    acceptedAt: 2,
  })
  expect(after([1, reported('Success')])).toBe(waiting)
  expect(after([1, accepted])).toBe(waiting)
})

test('a final state stays, whatever comes', () => {
  const ended = after([1, release], [2, reported('Success')])
  const events = [
    cancel,
    due,
    accepted,
    reported('Failed'),
    refused(undefined),
    sent,
    { kind: 'gone' } as const,
  ]
  for (const event of events) {
    const later = afterEvent(ended, event, { now: 2_000_000, ...given })
    expect(later, event.kind).toMatchObject({ status: 'Success', endedAt: 2, owed: null })
  }
})

test('pauses grow to ten seconds, of which jitter leaves a part', () => {
  expect([0, 1, 2, 3, 4, 5, 99].map(refusals => pauseAfter(refusals, 1))).toEqual([
    1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000,
  ])
  expect([0, 2, 99].map(refusals => pauseAfter(refusals, 0))).toEqual([1_000, 1_000, 1_000])
  expect(pauseAfter(99, 0.5)).toBe(5_000)
})
