import { type AwsError, authenticationError } from '@sallyport/protocol/aws/error'
import type { AccessPlan } from '@sallyport/server/iam/access-plan'
import type { Person } from '@sallyport/server/iam/principal'

/** For what policies have no say in, or what the operation has decided itself. */
export const NO_PERMISSION: AccessPlan = { all: [] }

export function accessDenied(message: string): AwsError {
  return authenticationError('access-denied', 'query', message)
}

/** What GetSessionToken gives can call AssumeRole and GetCallerIdentity, and nothing else here (control-plane.md 28). */
export function refuseSessionToken(person: Person, operation: string): void {
  if (person.kind === 'user' && person.temporary !== undefined) throw sessionCredentials(operation)
}

export function sessionCredentials(operation: string): AwsError {
  return accessDenied(`Cannot call ${operation} with session credentials`)
}

/** Better than to let somebody believe that their code was looked at. */
export function refuseMfa(given: {
  SerialNumber?: string | undefined
  TokenCode?: string | undefined
}): void {
  if (given.SerialNumber === undefined && given.TokenCode === undefined) return
  throw accessDenied(
    'MultiFactorAuthentication failed: this version of Sallyport has no MFA devices. Leave out SerialNumber and TokenCode.',
  )
}
