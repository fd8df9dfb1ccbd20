import type { CommandRow, InvocationRow } from '../store/schema.ts'
import { type Phase, phaseOf } from './invocation.ts'
import type { CommandCounts } from './status.ts'

/** What a command lets go at a time, and when it stops. */
export type WindowState = CommandCounts &
  Pick<CommandRow, 'concurrencyLimit' | 'requestedAt' | 'timeoutSeconds'>

/** More failed than MaxErrors allows: nothing more is let go. */
export function isStopped({
  errorCount,
  errorLimit,
}: Pick<WindowState, 'errorCount' | 'errorLimit'>): boolean {
  return errorCount > errorLimit
}

/** Until when a node may take it (epoch milliseconds). */
export function deliveryDeadline({
  requestedAt,
  timeoutSeconds,
}: Pick<WindowState, 'requestedAt' | 'timeoutSeconds'>): number {
  return requestedAt + timeoutSeconds * 1_000
}

/** How many further invocations may go now. */
export function freePlaces(state: WindowState, now: number): number {
  if (isStopped(state) || state.cancelRequestedAt !== null || now >= deliveryDeadline(state)) return 0
  return Math.max(0, Math.min(state.waitingCount, state.concurrencyLimit - state.activeCount))
}

type Counter = keyof Omit<CommandCounts, 'targetCount' | 'errorLimit' | 'cancelRequestedAt'>

/** Moves the counters as one invocation went from `before` to `after`. */
export function recount(counts: CommandCounts, before: InvocationRow, after: InvocationRow): void {
  const from = phaseOf(before)
  const to = phaseOf(after)
  if (from === to) return
  counts[placeOf(from)] -= 1
  counts[placeOf(to)] += 1
  if (to !== 'ended') return
  const outcome = outcomeOf(after)
  if (outcome !== undefined) counts[outcome] += 1
}

function placeOf(phase: Phase): Counter {
  if (phase === 'waiting') return 'waitingCount'
  return phase === 'ended' ? 'completedCount' : 'activeCount'
}

/** Of the endings that are counted by themselves. Only failures of the work itself are errors (21.3). */
function outcomeOf({ status, details }: InvocationRow): Counter | undefined {
  if (status === 'Success') return 'successCount'
  if (status === 'Cancelled') return 'cancelledCount'
  if (details === 'Failed' || details === 'ExecutionTimedOut') return 'errorCount'
  return details === 'DeliveryTimedOut' ? 'deliveryTimedOutCount' : undefined
}
