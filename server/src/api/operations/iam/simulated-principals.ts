import { parseArn } from '@sallyport/protocol/aws/arn'
import { AwsError } from '@sallyport/protocol/aws/error'
import { assumedRoleArn, groupArn, roleArn, userArn } from '@sallyport/server/iam/arns'
import { requestContext } from '@sallyport/server/iam/condition-keys'
import type { ContextValues, PolicySet } from '@sallyport/server/iam/policy/decision'
import type { Person } from '@sallyport/server/iam/principal'
import type { RoleRow, UserRow } from '@sallyport/server/store/schema'
import type { OperationContext } from '../../operation.ts'
import { noSuchEntity } from './errors.ts'

/** Whose requests are tried: what policies there are, and what is known of whoever asks, by key in lower case. */
export type Simulated = { set: PolicySet; context: ContextValues }

/** Of the request that asks for the simulation, not of the one that is simulated. */
const OF_THE_CALLER = ['aws:sourceip', 'aws:useragent', 'aws:securetransport']
/** Of a session of a role, which a simulation has none of. */
const OF_THE_SESSION = ['aws:userid', 'aws:tokenissuetime']

/** A user, group or role by its ARN. Throws `NoSuchEntity` or `InvalidInput`. */
export async function simulatedPrincipal(context: OperationContext, arn: string): Promise<Simulated> {
  const { store, scope, access } = context
  const { type, name } = sourceOf(arn)
  switch (type) {
    case 'user': {
      const user = await store.users.get(scope, name)
      if (user === undefined || userArn(context, user.path, name) !== arn) throw noSuchSource(arn)
      return await person(context, userPerson(arn, user), [])
    }
    case 'role': {
      const role = await store.roles.get(scope, name)
      if (role === undefined || roleArn(context, role.path, name) !== arn) throw noSuchSource(arn)
      return await person(context, rolePerson(context, arn, role), OF_THE_SESSION)
    }
    default: {
      const group = await store.groups.get(scope, name)
      if (group === undefined || groupArn(context, group.path, name) !== arn) throw noSuchSource(arn)
      return { set: await access.groupPolicySet(name), context: nobodysContext(context) }
    }
  }
}

/** What is known of every request, whoever makes it. */
export function nobodysContext({ scope, now }: OperationContext): ContextValues {
  const common: ContextValues = new Map([
    ['aws:principalaccount', [scope.accountId]],
    ['aws:requestedregion', [scope.region]],
  ])
  return without(requestContext(common, facts(now)), OF_THE_CALLER)
}

async function person(
  { access, now }: OperationContext,
  who: Person,
  unknown: readonly string[],
): Promise<Simulated> {
  const [set, context] = await Promise.all([access.policySet(who), access.contextFor(who, {}, facts(now))])
  return { set, context: without(context, [...OF_THE_CALLER, ...unknown]) }
}

function facts(now: number) {
  return { now, sourceIp: '', secureTransport: true, userAgent: '' }
}

function without(context: ContextValues, keys: readonly string[]): ContextValues {
  return new Map([...context].filter(([key]) => !keys.includes(key)))
}

function userPerson(arn: string, { userName, userId }: UserRow): Person {
  return { kind: 'user', arn, userId, userName, longTermKeyId: '' }
}

function rolePerson(context: OperationContext, arn: string, { roleName, roleId }: RoleRow): Person {
  const sessionName = 'simulation'
  const nobody = { userName: '', userId: '', longTermKeyId: '' }
  return {
    kind: 'role',
    arn: assumedRoleArn(context, roleName, sessionName),
    userId: `${roleId}:${sessionName}`,
    roleArn: arn,
    roleName,
    sessionName,
    source: nobody,
    tags: {},
    transitiveTagKeys: [],
    temporary: { accessKeyId: sessionName, issuedAt: context.now, expiresAt: context.now },
  }
}

function sourceOf(arn: string): { type: string; name: string } {
  const [, type, name] = /^(user|group|role)\/(?:.*\/)?([^/]+)$/.exec(resourceOf(arn)) ?? []
  if (type !== undefined && name !== undefined) return { type, name }
  throw new AwsError(
    'InvalidInput',
    `Invalid Entity Arn: ${arn} does not clearly define entity type and name. It is the ARN of a user, a group or a role.`,
  )
}

function resourceOf(arn: string): string {
  try {
    return parseArn(arn).resource
  } catch {
    return ''
  }
}

function noSuchSource(arn: string): AwsError {
  return noSuchEntity(`Cannot find the ${sourceOf(arn).type} ${arn}.`)
}
