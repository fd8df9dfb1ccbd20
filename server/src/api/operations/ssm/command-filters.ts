import type { ListCommandsInput } from '@sallyport/protocol/api/ssm-commands'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { CommandFilters } from '@sallyport/server/store/commands'
import type { InvocationFilters } from '@sallyport/server/store/invocations'
import type { CommandStatus, InvocationStatus } from '@sallyport/server/store/schema'
import type { OperationContext } from '../../operation.ts'
import { readCommandId } from './commands.ts'

const DEFAULT_PAGE = 50
const ACTIVE: readonly CommandStatus[] = ['Pending', 'InProgress', 'Cancelling']
const COMPLETE: readonly CommandStatus[] = ['Success', 'Cancelled', 'Failed', 'TimedOut']
const COMMAND_STATUSES: readonly CommandStatus[] = [...ACTIVE, ...COMPLETE]
const INVOCATION_STATUSES: readonly InvocationStatus[] = [...COMMAND_STATUSES, 'Delayed']
// docs.aws.amazon.com/systems-manager/latest/APIReference/API_CommandFilter.html
const DETAILS = [
  'AccessDenied',
  'DeliveryTimedOut',
  'ExecutionTimedOut',
  'Incomplete',
  'InvalidPlatform',
  'LimitExceeded',
  'NoInstancesInTag',
  'RateExceeded',
  'Terminated',
  'Undeliverable',
]

type Kind = 'commands' | 'invocations'

/** Where a page of a list begins, and how long it is. */
export function readPage({ MaxResults, NextToken }: ListCommandsInput) {
  return { limit: MaxResults ?? DEFAULT_PAGE, token: NextToken }
}

/**
 * What ListCommands is asked for. All of it must hold; undefined if nothing can be all of it. Throws `InvalidCommandId`,
 * `InvalidInstanceId` for what never was a node, and `ValidationException`.
 */
export async function commandFilters(
  context: OperationContext,
  input: ListCommandsInput,
): Promise<CommandFilters | undefined> {
  // Among the statuses of commands there is none that only invocations have.
  return (await readFilters(context, 'commands', input)) as CommandFilters | undefined
}

/** The same of ListCommandInvocations, which knows a filter less. For that it throws `InvalidFilterKey`. */
export function invocationFilters(
  context: OperationContext,
  input: ListCommandsInput,
): Promise<InvocationFilters | undefined> {
  return readFilters(context, 'invocations', input)
}

async function readFilters(
  { store, scope }: OperationContext,
  kind: Kind,
  { CommandId, InstanceId, Filters = [] }: ListCommandsInput,
): Promise<InvocationFilters | undefined> {
  let filters: InvocationFilters | undefined = {
    ...(CommandId !== undefined && { commandId: readCommandId(CommandId) }),
    ...(InstanceId !== undefined && { nodeId: InstanceId }),
  }
  if (InstanceId !== undefined && (await store.nodes.get(scope, InstanceId)) === undefined) {
    throw new AwsError('InvalidInstanceId', `${InstanceId} was never registered here.`)
  }
  for (const filter of Filters) filters = filters && addFilter(kind, filters, filter)
  return filters
}

function addFilter(
  kind: Kind,
  filters: InvocationFilters,
  { key, value }: NonNullable<ListCommandsInput['Filters']>[number],
): InvocationFilters | undefined {
  switch (key) {
    case 'InvokedAfter':
      return { ...filters, after: Math.max(filters.after ?? 0, time(key, value)) }
    case 'InvokedBefore':
      return { ...filters, before: Math.min(filters.before ?? Number.MAX_SAFE_INTEGER, time(key, value)) }
    case 'Status':
      return withStatus(kind, filters, value)
    case 'ExecutionStage':
      return withStage(kind, filters, value)
    case 'DocumentName': {
      if (filters.documentName !== undefined && filters.documentName !== value) return undefined
      return { ...filters, documentName: value }
    }
  }
}

/** AWS takes details for a status here as well. */
function withStatus(kind: Kind, filters: InvocationFilters, value: string): InvocationFilters | undefined {
  const known = kind === 'commands' ? COMMAND_STATUSES : INVOCATION_STATUSES
  const status = known.find(each => each === value)
  if (status !== undefined) return withStatuses(filters, [status])
  if (!DETAILS.includes(value)) {
    throw new AwsError(
      'ValidationException',
      `'${value}' is no Status. There are ${[...known, ...DETAILS].join(', ')}.`,
    )
  }
  if (filters.details !== undefined && filters.details !== value) return undefined
  return { ...filters, details: value }
}

function withStage(kind: Kind, filters: InvocationFilters, value: string): InvocationFilters | undefined {
  if (kind === 'invocations') {
    throw new AwsError(
      'InvalidFilterKey',
      'ExecutionStage is a filter of ListCommands only. ListCommandInvocations has InvokedAfter, InvokedBefore, Status and DocumentName.',
    )
  }
  if (value === 'Executing') return withStatuses(filters, ACTIVE)
  if (value === 'Complete') return withStatuses(filters, COMPLETE)
  throw new AwsError('ValidationException', `ExecutionStage is Executing or Complete, not '${value}'.`)
}

function withStatuses(
  filters: InvocationFilters,
  wanted: readonly InvocationStatus[],
): InvocationFilters | undefined {
  const statuses = wanted.filter(status => filters.statuses?.includes(status) ?? true)
  return statuses.length === 0 ? undefined : { ...filters, statuses }
}

function time(key: string, value: string): number {
  const parsed = Date.parse(value)
  if (!Number.isNaN(parsed)) return parsed
  throw new AwsError(
    'ValidationException',
    `${key} is a time in ISO 8601, such as 2026-01-31T00:00:00Z, not '${value}'.`,
  )
}
