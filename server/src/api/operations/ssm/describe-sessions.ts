import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { DescribeSessionsInput, SessionRecord } from '@sallyport/protocol/api/ssm-sessions'
import { toTimestamp } from '@sallyport/protocol/api/ssm-types'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { SessionStatus } from '@sallyport/server/store/schema'
import type { SessionFilters } from '@sallyport/server/store/session-filters'
import type { Session } from '@sallyport/server/store/sessions'
import { operation } from '../../operation.ts'

const DEFAULT_PAGE = 50
const MINUTE = 60_000
const STATUSES: readonly SessionStatus[] = [
  'Connecting',
  'Connected',
  'Disconnected',
  'Terminating',
  'Terminated',
  'Failed',
]

/** control-plane.md 19; newest first. */
export const describeSessions = operation({
  input: ssmOperations.DescribeSessions.input,
  callers: ['person'],
  run: async ({ store, scope }, input) => {
    const filters = readFilters(input)
    if (filters === undefined) return { Sessions: [] }
    const page = await store.sessions.list(scope, input.State, filters, {
      limit: input.MaxResults ?? DEFAULT_PAGE,
      token: input.NextToken,
    })
    return { Sessions: page.items.map(describe), NextToken: page.nextToken }
  },
})

function describe(session: Session): SessionRecord {
  const { endedAt, maxDurationMs } = session
  return {
    SessionId: session.sessionId,
    Target: session.nodeId,
    Status: session.status,
    StartDate: toTimestamp(session.startedAt),
    EndDate: endedAt === null ? undefined : toTimestamp(endedAt),
    DocumentName: session.documentName,
    Owner: session.ownerArn,
    Reason: session.reason ?? undefined,
    Details: session.details ?? undefined,
    OutputUrl: {},
    MaxSessionDuration: maxDurationMs === null ? undefined : String(maxDurationMs / MINUTE),
    AccessType: 'Standard',
  }
}

/** Filters must all hold. Undefined if they contradict each other, or name what no session has. */
function readFilters({ Filters = [] }: DescribeSessionsInput): SessionFilters | undefined {
  const filters: SessionFilters = {}
  for (const { key, value } of Filters) {
    switch (key) {
      case 'InvokedAfter':
        filters.invokedAfter = Math.max(filters.invokedAfter ?? 0, time(key, value))
        break
      case 'InvokedBefore':
        filters.invokedBefore = Math.min(filters.invokedBefore ?? Number.POSITIVE_INFINITY, time(key, value))
        break
      case 'Target':
      case 'Owner':
      case 'SessionId': {
        const member = ({ Target: 'target', Owner: 'owner', SessionId: 'sessionId' } as const)[key]
        if (filters[member] !== undefined && filters[member] !== value) return undefined
        filters[member] = value
        break
      }
      case 'Status': {
        const status = STATUSES.find(known => known === value)
        if (status === undefined || (filters.status !== undefined && filters.status !== status))
          return undefined
        filters.status = status
        break
      }
      case 'AccessType':
        if (value !== 'Standard') return undefined
        break
      default:
        key satisfies never
    }
  }
  return filters
}

function time(key: string, value: string): number {
  const parsed = Date.parse(value)
  if (Number.isNaN(parsed)) {
    throw new AwsError(
      'ValidationException',
      `${key} is a time in ISO 8601, such as 2026-01-31T00:00:00Z, not '${value}'.`,
    )
  }
  return parsed
}
