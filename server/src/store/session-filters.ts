import type { SelectQueryBuilder } from 'kysely'
import type { Schema, SessionRow, SessionStatus } from './schema.ts'

/** As DescribeSessions divides them (control-plane.md 19). */
export type SessionState = 'Active' | 'History'

/** All must hold. Times are epoch milliseconds and exclusive. */
export type SessionFilters = {
  owner?: string
  target?: string
  status?: SessionStatus
  sessionId?: string
  invokedAfter?: number
  invokedBefore?: number
}

type SessionQuery = SelectQueryBuilder<Schema, 'sessions', SessionRow>

export const sessionStatuses: Readonly<Record<SessionState, readonly SessionStatus[]>> = {
  Active: ['Connecting', 'Connected', 'Disconnected', 'Terminating'],
  History: ['Terminated', 'Failed'],
}

export function applySessionFilters(
  query: SessionQuery,
  state: SessionState,
  filters: SessionFilters,
): SessionQuery {
  let filtered = query.where('status', 'in', sessionStatuses[state])
  if (filters.owner !== undefined) filtered = filtered.where('ownerArn', '=', filters.owner)
  if (filters.target !== undefined) filtered = filtered.where('nodeId', '=', filters.target)
  if (filters.status !== undefined) filtered = filtered.where('status', '=', filters.status)
  if (filters.sessionId !== undefined) filtered = filtered.where('sessionId', '=', filters.sessionId)
  if (filters.invokedAfter !== undefined) filtered = filtered.where('startedAt', '>', filters.invokedAfter)
  if (filters.invokedBefore !== undefined) filtered = filtered.where('startedAt', '<', filters.invokedBefore)
  return filtered
}
