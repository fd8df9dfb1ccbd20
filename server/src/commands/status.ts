import type { CommandRow, CommandStatus } from '../store/schema.ts'

/** What decides the status of a command: how its invocations stand, counted. */
export type CommandCounts = Pick<
  CommandRow,
  | 'targetCount'
  | 'waitingCount'
  | 'activeCount'
  | 'completedCount'
  | 'successCount'
  | 'errorCount'
  | 'errorLimit'
  | 'deliveryTimedOutCount'
  | 'cancelledCount'
  | 'cancelRequestedAt'
>

export type ShownStatus = { status: CommandStatus; details: string }

/** AWS's "Understanding command statuses" and control-plane.md 21.3. `before` is what it was until now. */
export function statusOf(counts: CommandCounts, before: CommandStatus): ShownStatus {
  if (counts.completedCount >= counts.targetCount) return finalStatus(counts)
  if (counts.cancelRequestedAt !== null) return both('Cancelling')
  return both(before === 'Pending' && counts.activeCount === 0 ? 'Pending' : 'InProgress')
}

function finalStatus(counts: CommandCounts): ShownStatus {
  const { targetCount, successCount, errorCount, errorLimit, deliveryTimedOutCount, cancelledCount } = counts
  if (targetCount === 0) return { status: 'Failed', details: 'NoInstancesInTag' }
  if (successCount === targetCount) return both('Success')
  if (errorCount > errorLimit) return both('Failed')
  if (counts.cancelRequestedAt !== null && cancelledCount > 0) return both('Cancelled')
  if (deliveryTimedOutCount === targetCount) return { status: 'TimedOut', details: 'DeliveryTimedOut' }
  return { status: 'Failed', details: 'Incomplete' }
}

function both(status: CommandStatus): ShownStatus {
  return { status, details: status }
}
