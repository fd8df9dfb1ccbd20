import {
  type AssumeRoleInput,
  type AssumeRoleOutput,
  DEFAULT_ROLE_SESSION,
  stsOperations,
} from '@sallyport/protocol/api/sts'
import { AwsError } from '@sallyport/protocol/aws/error'
import { assumedRoleArn, roleArn } from '@sallyport/server/iam/arns'
import type { Person, RolePrincipal } from '@sallyport/server/iam/principal'
import {
  packedPercent,
  type TemporaryCredentials,
  TokenTooLong,
} from '@sallyport/server/iam/session-credentials'
import type { RoleRow } from '@sallyport/server/store/schema'
import { type OperationContext, operation } from '../../operation.ts'
import { roleForCaller } from './assume-role-permission.ts'
import { toStsCredentials } from './credentials.ts'
import { NO_PERMISSION, refuseMfa } from './permissions.ts'
import { readSessionPolicies } from './session-policies.ts'
import { type SessionTags, sessionTags, sourceIdentity } from './session-tags.ts'

/** Seconds that a role assumed by a role lasts at most, whatever the role allows. */
const MAXIMUM_CHAINED = 3_600

/** A role for a while, to whom both sides trust it: its trust policy, and the caller's own policies. */
export const assumeRole = operation({
  input: stsOperations.AssumeRole.input,
  callers: ['person'],
  // Which of the two sides must allow it depends on what the trust policy says.
  access: () => NO_PERMISSION,
  run: async (context, input, caller): Promise<AssumeRoleOutput> => {
    refuseMfa(input)
    if ((input.ProvidedContexts ?? []).length > 0) {
      throw new AwsError('ValidationError', 'This version of Sallyport does not take ProvidedContexts.')
    }
    const tags = sessionTags(input, caller)
    const identity = sourceIdentity(input, caller)
    const role = await roleForCaller(context, caller, input, { tags, identity })
    const lifetime = checkedDuration(input.DurationSeconds, role, caller) * 1000
    const policies = await readSessionPolicies(context, input)
    const principal = roleSession(context, role, input.RoleSessionName, caller, tags)
    const issued = issue(context, lifetime, {
      ...principal,
      ...(identity !== undefined && { sourceIdentity: identity }),
      ...(policies && { sessionPolicies: policies }),
    })
    const packed = policies !== undefined || Object.keys(tags.tags).length > 0
    return {
      Credentials: toStsCredentials(issued),
      AssumedRoleUser: { AssumedRoleId: principal.userId, Arn: principal.arn },
      PackedPolicySize: packed ? packedPercent(issued.sessionToken) : undefined,
      SourceIdentity: identity,
    }
  },
})

type RoleSession = Omit<RolePrincipal, 'temporary'>

function roleSession(
  context: OperationContext,
  { roleName, roleId, path }: RoleRow,
  sessionName: string,
  caller: Person,
  { tags, transitive }: SessionTags,
): RoleSession {
  return {
    kind: 'role',
    arn: assumedRoleArn(context, roleName, sessionName),
    userId: `${roleId}:${sessionName}`,
    roleArn: roleArn(context, path, roleName),
    roleName,
    sessionName,
    source: sourceOf(caller),
    tags,
    transitiveTagKeys: transitive,
  }
}

function sourceOf(caller: Person): RolePrincipal['source'] {
  if (caller.kind === 'role') return caller.source
  const { userName, userId, longTermKeyId } = caller
  return { userName, userId, longTermKeyId }
}

function checkedDuration(given: AssumeRoleInput['DurationSeconds'], role: RoleRow, caller: Person): number {
  const seconds = given ?? DEFAULT_ROLE_SESSION
  if (caller.kind === 'role' && seconds > MAXIMUM_CHAINED) {
    throw new AwsError(
      'ValidationError',
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
    )
  }
  if (seconds <= role.maxSessionDuration) return seconds
  throw new AwsError(
    'ValidationError',
    `The requested DurationSeconds exceeds the MaxSessionDuration set for this role: it is ${role.maxSessionDuration}.`,
  )
}

function issue(context: OperationContext, lifetime: number, session: RoleSession): TemporaryCredentials {
  try {
    return context.sessionCredentials.issue(session, context.now, lifetime)
  } catch (error) {
    if (!(error instanceof TokenTooLong)) throw error
    throw new AwsError(
      'PackedPolicyTooLarge',
      `Packed policy consumes ${error.percent}% of allotted space, please use smaller policy. Tags count too.`,
    )
  }
}
