import type { InvocationStatus } from '@sallyport/protocol/api/ssm-commands'
import { usageError } from '../errors.ts'
import { inert } from '../inert.ts'

const STATUSES: readonly InvocationStatus[] = [
  'Pending',
  'InProgress',
  'Delayed',
  'Success',
  'Failed',
  'TimedOut',
  'Cancelling',
  'Cancelled',
]

/** Of ListCommands and ListCommandInvocations, from what a person wrote in whatever case. */
export const statusFilter = (given: string | undefined) => {
  if (given === undefined) return {}
  const status = STATUSES.find(known => known.toLowerCase() === given.toLowerCase())
  if (status === undefined) {
    throw usageError(`--status is "${inert(given)}": expected ${STATUSES.join(', ')}`)
  }
  return { Filters: [{ key: 'Status', value: status }] }
}
