import type { CommandReply, DocumentStatus } from '@sallyport/protocol/run-command'
import type { InvocationRow, InvocationStatus } from '../store/schema.ts'
import { pauseAfter } from './refusal.ts'

// One command on one node: what happens to it, and what becomes of it then (control-plane.md 21.3). Pure.

/** What a node may take longer than its document says: for its queue, and for the reply to travel. */
export const EXECUTION_GRACE_MS = 60_000
/** How long a node may take to answer that it cancelled. */
export const CANCEL_LIMIT_MS = 5 * 60_000
/** For how long a node is told to stop what has ended here already. */
export const CANCEL_OWED_MS = 24 * 3_600_000
/** A node that refuses to cancel so often is not asked again. */
const MAX_CANCEL_REFUSALS = 10
/** As CommandInvocation.TraceOutput (control-plane.md 21.2). */
const MAX_TRACE = 2_500

export type InvocationEvent =
  | { kind: 'release' }
  | { kind: 'sent' }
  | { kind: 'accepted'; job: 'command' | 'cancel' }
  /** `jitter` (0 to 1) of the pause until it is tried again; undefined when that would not help. */
  | { kind: 'refused'; job: 'command' | 'cancel'; jitter: number | undefined; why: string }
  | { kind: 'reported'; status: DocumentStatus; trace: CommandReply['trace'] }
  | { kind: 'cancel' }
  /** Too many others failed. */
  | { kind: 'terminate' }
  /** The node was deregistered. */
  | { kind: 'gone' }
  /** Its deadline may have passed. */
  | { kind: 'due' }

/** When it happens, and what its command says. */
export type Circumstances = { now: number; deliveryDeadline: number; executionMs: number }

export type Phase = 'waiting' | 'released' | 'running' | 'cancelling' | 'ended'

export function phaseOf(invocation: InvocationRow): Phase {
  if (invocation.endedAt !== null) return 'ended'
  if (invocation.status === 'Cancelling') return 'cancelling'
  if (invocation.acceptedAt !== null) return 'running'
  return invocation.releasedAt === null ? 'waiting' : 'released'
}

/** What the event makes of the invocation; the same object if nothing. An invocation that has ended stays so. */
export function afterEvent(
  invocation: InvocationRow,
  event: InvocationEvent,
  circumstances: Circumstances,
): InvocationRow {
  const change = changeBy(invocation, event, circumstances)
  return change === undefined ? invocation : { ...invocation, ...change }
}

type Change = Partial<InvocationRow> | undefined
type Ending = Pick<InvocationRow, 'status' | 'details'>

function changeBy(invocation: InvocationRow, event: InvocationEvent, given: Circumstances): Change {
  const phase = phaseOf(invocation)
  switch (event.kind) {
    case 'release':
      return phase === 'waiting' ? { releasedAt: given.now, owed: 'command' } : undefined
    case 'sent':
      return sent(invocation, phase, given)
    case 'accepted':
      return event.job === 'command' ? accepted(invocation, phase, given) : cancelTaken(invocation)
    case 'refused':
      return event.job === 'command'
        ? refused(invocation, phase, event, given)
        : cancelRefused(invocation, event, given)
    case 'reported':
      return reported(invocation, phase, event, given)
    case 'cancel':
      return cancelled(invocation, phase, given)
    case 'terminate':
      return phase === 'waiting' ? ended({ status: 'Failed', details: 'Terminated' }, given) : undefined
    case 'gone':
      return gone(invocation, phase, given)
    case 'due':
      return due(invocation, phase, given)
    default:
      return event satisfies never
  }
}

function ended({ status, details }: Ending, { now }: Circumstances, trace?: string): Partial<InvocationRow> {
  const said = trace ? { traceOutput: trace.slice(0, MAX_TRACE) } : {}
  return { status, details, endedAt: now, owed: null, notBefore: null, deadline: null, ...said }
}

function shown(status: InvocationStatus): Ending {
  return { status, details: status }
}

/** Whether a node has it that should not: it was on its way when the invocation ended. */
function isStray({ releasedAt, acceptedAt, status }: InvocationRow): boolean {
  return releasedAt !== null && acceptedAt === null && status !== 'Success'
}

function sent(invocation: InvocationRow, phase: Phase, { now }: Circumstances): Change {
  if (invocation.sentAt !== null || phase === 'waiting') return undefined
  const stray = phase === 'ended' && isStray(invocation)
  return stray ? { sentAt: now, owed: 'cancel', deadline: now + CANCEL_OWED_MS } : { sentAt: now }
}

function accepted(invocation: InvocationRow, phase: Phase, { now, executionMs }: Circumstances): Change {
  switch (phase) {
    case 'released':
      return {
        ...shown('InProgress'),
        acceptedAt: now,
        owed: null,
        notBefore: null,
        deadline: now + executionMs + EXECUTION_GRACE_MS,
      }
    case 'cancelling':
      // It may have been told to cancel what it did not have yet.
      return invocation.acceptedAt === null
        ? { acceptedAt: now, owed: 'cancel', notBefore: null, deadline: now + CANCEL_LIMIT_MS }
        : undefined
    case 'ended':
      return isStray(invocation)
        ? { acceptedAt: now, owed: 'cancel', notBefore: null, deadline: now + CANCEL_OWED_MS }
        : undefined
    default:
      return undefined
  }
}

function cancelTaken(invocation: InvocationRow): Change {
  if (invocation.owed !== 'cancel') return undefined
  // One that has ended waits for nothing more.
  const rest = invocation.endedAt === null ? {} : { deadline: null }
  return { owed: null, notBefore: null, ...rest }
}

function refused(
  invocation: InvocationRow,
  phase: Phase,
  { jitter, why }: { jitter: number | undefined; why: string },
  given: Circumstances,
): Change {
  // The node does not have it, so there is nothing to wait for.
  if (phase === 'cancelling' && invocation.acceptedAt === null) return ended(shown('Cancelled'), given)
  if (phase !== 'released') return undefined
  if (jitter === undefined) return ended(shown('Failed'), given, why)
  const notBefore = given.now + pauseAfter(invocation.refusals, jitter)
  return {
    ...shown('Delayed'),
    refusals: invocation.refusals + 1,
    notBefore,
    deadline: Math.min(notBefore, given.deliveryDeadline),
    traceOutput: why.slice(0, MAX_TRACE),
  }
}

function cancelRefused(
  invocation: InvocationRow,
  { jitter }: { jitter: number | undefined },
  { now }: Circumstances,
): Change {
  if (invocation.owed !== 'cancel') return undefined
  const refusals = invocation.refusals + 1
  if (jitter === undefined || refusals > MAX_CANCEL_REFUSALS) return { owed: null, notBefore: null }
  const notBefore = now + pauseAfter(invocation.refusals, jitter)
  return { refusals, notBefore, deadline: notBefore }
}

/** Documents of nodes that restart are under way until the last reply. */
const endingBy: Readonly<Record<DocumentStatus, Ending | undefined>> = {
  NotStarted: undefined,
  InProgress: undefined,
  SuccessAndReboot: undefined,
  PassedAndReboot: undefined,
  Success: shown('Success'),
  Skipped: shown('Success'),
  Failed: shown('Failed'),
  Cancelled: shown('Cancelled'),
  TimedOut: { status: 'TimedOut', details: 'ExecutionTimedOut' },
}

function reported(
  invocation: InvocationRow,
  phase: Phase,
  { status, trace }: { status: DocumentStatus; trace: string },
  given: Circumstances,
): Change {
  const ending = endingBy[status]
  if (invocation.releasedAt === null) return undefined
  // Who works on it has it, whatever became of the acknowledgement.
  const taken = accepted(invocation, phase, given)
  if (ending === undefined) return taken
  const acceptedAt = invocation.acceptedAt ?? given.now
  if (phase === 'ended') {
    return invocation.owed === null && invocation.acceptedAt !== null
      ? undefined
      : { acceptedAt, owed: null, notBefore: null, deadline: null }
  }
  return { acceptedAt, ...ended(ending, given, trace) }
}

function cancelled(invocation: InvocationRow, phase: Phase, given: Circumstances): Change {
  if (phase === 'ended' || phase === 'cancelling') return undefined
  const neverSent = phase === 'released' && invocation.sentAt === null
  // A node that refused it for now does not have it either.
  if (phase === 'waiting' || neverSent || invocation.status === 'Delayed') {
    return ended(shown('Cancelled'), given)
  }
  const limit = given.now + CANCEL_LIMIT_MS
  const deadline = phase === 'running' ? limit : Math.min(limit, given.deliveryDeadline)
  return { ...shown('Cancelling'), owed: 'cancel', notBefore: null, refusals: 0, deadline }
}

function gone(invocation: InvocationRow, phase: Phase, given: Circumstances): Change {
  const why = 'the node was deregistered'
  switch (phase) {
    case 'waiting':
    case 'released':
      return ended({ status: 'Failed', details: 'Undeliverable' }, given, why)
    case 'running':
      return ended(shown('Failed'), given, why)
    case 'cancelling':
      return ended(shown('Cancelled'), given, why)
    case 'ended':
      // Nobody is left to be told anything.
      return invocation.owed === null ? undefined : { owed: null, notBefore: null, deadline: null }
    default:
      return phase satisfies never
  }
}

function due(invocation: InvocationRow, phase: Phase, given: Circumstances): Change {
  const { now, deliveryDeadline } = given
  if (invocation.deadline === null || now < invocation.deadline) return undefined
  const undelivered = phase === 'waiting' || phase === 'released'
  if (undelivered && now >= deliveryDeadline) {
    return ended({ status: 'TimedOut', details: 'DeliveryTimedOut' }, given)
  }
  if (invocation.notBefore !== null && now >= invocation.notBefore) {
    const cancelling = now + (phase === 'ended' ? CANCEL_OWED_MS : CANCEL_LIMIT_MS)
    return { notBefore: null, deadline: undelivered ? deliveryDeadline : cancelling }
  }
  const stillOwed = { owed: 'cancel' as const, deadline: now + CANCEL_OWED_MS }
  switch (phase) {
    case 'running':
      return { ...ended({ status: 'TimedOut', details: 'ExecutionTimedOut' }, given), ...stillOwed }
    case 'cancelling':
      return { ...ended(shown('Cancelled'), given), ...(invocation.owed === 'cancel' ? stillOwed : {}) }
    case 'ended':
      return { owed: null, notBefore: null, deadline: null }
    default:
      return { deadline: deliveryDeadline }
  }
}
