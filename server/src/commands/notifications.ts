import { fromColumn } from '../store/json-column.ts'
import type { InvocationStatus } from '../store/schema.ts'

/** Something that somebody asked to be told of. */
export type Notification = { commandId: string; status: InvocationStatus; nodeId?: string }

type Config = { NotificationEvents?: readonly string[]; NotificationType?: string } | null | undefined

/**
 * Whether a status of a command, or of its invocations, is to be told, by the settings that it was sent with. The
 * type is Command unless said (API reference, "NotificationConfig").
 */
export function isNotified(
  settings: string,
  of: 'Command' | 'Invocation',
  status: InvocationStatus,
): boolean {
  if (!settings.includes('NotificationConfig')) return false
  const config = fromColumn<{ NotificationConfig?: never }>(settings)?.NotificationConfig as Config
  const { NotificationEvents: events = [], NotificationType: type = 'Command' } = config ?? {}
  if (type !== of || !known.includes(status)) return false
  return events.includes('All') || events.includes(status)
}

const known: readonly string[] = ['InProgress', 'Success', 'TimedOut', 'Cancelled', 'Failed']
