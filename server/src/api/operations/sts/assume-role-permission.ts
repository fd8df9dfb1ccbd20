import type { AssumeRoleInput } from '@sallyport/protocol/api/sts'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { AccessCheck, ConditionValues } from '@sallyport/server/iam/access-plan'
import { roleArn } from '@sallyport/server/iam/arns'
import { denialMessage } from '@sallyport/server/iam/denial'
import { evaluate } from '@sallyport/server/iam/policy/evaluate'
import { parsePolicy } from '@sallyport/server/iam/policy/parse'
import type { Policy } from '@sallyport/server/iam/policy/policy'
import { trusts } from '@sallyport/server/iam/policy/trust'
import type { Person } from '@sallyport/server/iam/principal'
import { ROLE_TAGS } from '@sallyport/server/store/roles'
import type { RoleRow } from '@sallyport/server/store/schema'
import type { OperationContext } from '../../operation.ts'
import { accessDenied } from './permissions.ts'
import type { SessionTags } from './session-tags.ts'

const ROLE_ARN = /^arn:[a-z-]+:iam::[0-9]{12}:role\/(?:[\u0021-\u007e]+\/)?[\w+=,.@-]{1,64}$/

/** What a session of a role is to carry on, each of which needs a permission of its own. */
export type Carried = { tags: SessionTags; identity: string | undefined }

/** The role, if the caller may have it. Who may not is not told whether it exists. */
export async function roleForCaller(
  context: OperationContext,
  caller: Person,
  input: AssumeRoleInput,
  carried: Carried,
): Promise<RoleRow> {
  const { RoleArn } = input
  if (!ROLE_ARN.test(RoleArn)) throw new AwsError('ValidationError', `${RoleArn} is invalid`)
  const role = await findRole(context, RoleArn)
  const conditions = { ...requested(input, carried), ...(role && (await roleTags(context, role))) }
  const trust = role && parsePolicy(role.trustPolicy, 'trust')
  for (const action of actionsFor(carried)) {
    const check = { action, resource: RoleArn, conditions }
    if (!(await isAllowed(context, caller, check, trust))) throw refusal(caller, action, RoleArn)
  }
  if (role === undefined) throw refusal(caller, 'sts:AssumeRole', RoleArn)
  return role
}

function refusal({ arn }: Person, action: string, resource: string): AwsError {
  return accessDenied(`User: ${arn} is not authorized to perform: ${action} on resource: ${resource}`)
}

/** By its whole ARN: a role of another path or account is another role. */
async function findRole(context: OperationContext, arn: string): Promise<RoleRow | undefined> {
  const role = await context.store.roles.get(context.scope, arn.slice(arn.lastIndexOf('/') + 1))
  return role !== undefined && roleArn(context, role.path, role.roleName) === arn ? role : undefined
}

/** Inherited tags and an inherited source identity need their permission too, from each role of a chain. */
function actionsFor({ tags, identity }: Carried): string[] {
  return [
    'sts:AssumeRole',
    ...(Object.keys(tags.tags).length > 0 ? ['sts:TagSession'] : []),
    ...(identity === undefined ? [] : ['sts:SetSourceIdentity']),
  ]
}

function requested(input: AssumeRoleInput, { tags, identity }: Carried): ConditionValues {
  const entries: Array<[string, string | readonly string[]]> = [
    ['sts:RoleSessionName', input.RoleSessionName],
  ]
  if (input.ExternalId !== undefined) entries.push(['sts:ExternalId', input.ExternalId])
  if (identity !== undefined) entries.push(['sts:SourceIdentity', identity])
  const given = Object.entries(tags.tags)
  if (given.length > 0) entries.push(['aws:TagKeys', given.map(([key]) => key)])
  if (tags.transitive.length > 0) entries.push(['sts:TransitiveTagKeys', tags.transitive])
  for (const [key, value] of given) entries.push([`aws:RequestTag/${key}`, value])
  return Object.fromEntries(entries)
}

async function roleTags({ store, scope }: OperationContext, role: RoleRow): Promise<ConditionValues> {
  const tags = await store.tags.list(scope, ROLE_TAGS, role.roleName)
  const entries = tags.flatMap(
    ({ Key, Value }): Array<[string, string]> => [
      [`aws:ResourceTag/${Key}`, Value],
      [`iam:ResourceTag/${Key}`, Value],
    ],
  )
  return Object.fromEntries(entries)
}

type Check = AccessCheck & { action: string }

/** control-plane.md 34.4: an explicit deny on either side; else the trust policy alone, or both sides. */
async function isAllowed(
  context: OperationContext,
  caller: Person,
  check: Check,
  trust: Policy | undefined,
): Promise<boolean> {
  const { access, facts } = context
  const own = await access.decide(caller, { all: [check] }, check.action, facts)
  if (!own.allowed && own.decision.reason === 'explicit-deny') {
    throw accessDenied(denialMessage(caller, own.check, own.decision))
  }
  if (trust === undefined) return false
  const request = { ...check, context: await access.contextFor(caller, check, facts) }
  const party = { accountId: context.scope.accountId, arns: arnsOf(caller) }
  const trusted = trusts(trust, party, request)
  switch (trusted) {
    case 'denied':
    case 'no':
      return false
    case 'account':
      return own.allowed
    case 'direct':
      return own.allowed || caller.kind === 'user' || (await isWithinBounds(context, caller, request))
    default:
      return trusted satisfies never
  }
}

function arnsOf(caller: Person): string[] {
  return caller.kind === 'role' ? [caller.roleArn, caller.arn] : [caller.arn]
}

/**
 * What a trust policy gives to a role directly stays within the role's boundary and its session's policies; what it
 * gives to a user does not (docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html).
 */
async function isWithinBounds(
  { access }: OperationContext,
  caller: Person,
  request: Parameters<typeof evaluate>[1],
): Promise<boolean> {
  const set = await access.policySet(caller)
  return evaluate({ ...set, identity: [EVERYTHING] }, request).allowed
}

const EVERYTHING = {
  name: 'everything',
  sourceType: 'none',
  policy: parsePolicy(
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}',
    'identity',
  ),
} as const
