import { AwsError } from '@sallyport/protocol/aws/error'
import type { SessionDocument } from './session-documents.ts'

const MINUTE = 60_000
const DEFAULT_IDLE_MINUTES = 20
const IDLE_MINUTES = { least: 1, most: 60 }
const DURATION_MINUTES = { least: 1, most: 1440 }

export type SessionLimits = { idleTimeoutMs: number; maxDurationMs: number | null }

/**
 * The two time-outs of a session document, which the server enforces (data-plane.md 17). Throws
 * `InvalidDocumentContent` if they are out of AWS's range.
 */
export function sessionLimits(document: SessionDocument): SessionLimits {
  const idle = minutes(document, 'idleSessionTimeout', IDLE_MINUTES) ?? DEFAULT_IDLE_MINUTES
  const duration = minutes(document, 'maxSessionDuration', DURATION_MINUTES)
  return { idleTimeoutMs: idle * MINUTE, maxDurationMs: duration === undefined ? null : duration * MINUTE }
}

function minutes(
  document: SessionDocument,
  key: string,
  range: { least: number; most: number },
): number | undefined {
  const value = document.inputs?.[key]
  if (value === undefined || value === null || value === '') return undefined
  const number = typeof value === 'number' || /^\d{1,4}$/.test(String(value)) ? Number(value) : Number.NaN
  if (Number.isInteger(number) && number >= range.least && number <= range.most) return number
  throw new AwsError(
    'InvalidDocumentContent',
    `inputs.${key} must be whole minutes from ${range.least} to ${range.most}, not ${JSON.stringify(value)}.`,
  )
}

/** Session types in which something is run, as some user. */
const RUNNING_TYPES = new Set(['Standard_Stream', 'InteractiveCommands', 'NonInteractiveCommands'])

/**
 * Whether sessions run as a user that the server names, and who that is for callers who have none of their own;
 * `defaultUser` is empty if nobody is. Agents take the words too (data-plane.md 7.1).
 */
export function runAsPreference({
  sessionType,
  inputs = {},
}: SessionDocument): { defaultUser: string } | undefined {
  const enabled = inputs.runAsEnabled === true || inputs.runAsEnabled === 'true'
  if (!enabled || !RUNNING_TYPES.has(sessionType)) return undefined
  const { runAsDefaultUser } = inputs
  return { defaultUser: typeof runAsDefaultUser === 'string' ? runAsDefaultUser.trim() : '' }
}

/** The KMS key that the document wants the session encrypted with, if any. */
export function kmsKeyOf(document: SessionDocument): string | undefined {
  const key = document.inputs?.kmsKeyId
  return typeof key === 'string' && key !== '' ? key : undefined
}
