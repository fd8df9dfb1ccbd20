import type { Role } from '@sallyport/protocol/api/iam-roles'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { AccessPlan, ConditionValues } from '@sallyport/server/iam/access-plan'
import { roleArn } from '@sallyport/server/iam/arns'
import { ROLE_TAGS } from '@sallyport/server/store/roles'
import type { RoleRow } from '@sallyport/server/store/schema'
import type { OperationContext } from '../../operation.ts'
import { attachedBoundary } from './boundaries.ts'
import { encodeDocument } from './documents.ts'
import { noSuchEntity } from './errors.ts'
import { ownTagConditions, type Tagged } from './tags.ts'

export const ROLE: Tagged = { type: ROLE_TAGS, noun: 'role', caseSensitive: false }

/** Where the roles are that a service of AWS's made for itself. Nobody else makes or changes any there. */
export const SERVICE_ROLE_PATH = '/aws-service-role/'

/** AWS's default for new roles, in seconds. */
export const DEFAULT_SESSION_DURATION = 3600

/** IAM User Guide, "IAM and AWS STS quotas". */
export const MAXIMUM_ROLES = 1000

/** What an operation on one role asks of policies. `conditionsOf` is told the role, if there is one. */
export async function roleAccess(
  context: OperationContext,
  roleName: string,
  conditionsOf: (role: RoleRow | undefined) => ConditionValues = () => ({}),
): Promise<AccessPlan> {
  const role = await context.store.roles.get(context.scope, roleName)
  const resource = roleArn(context, role?.path ?? '/', roleName)
  const tags = role === undefined ? {} : await ownTagConditions(context, ROLE, roleName)
  const shown = roleArn(context, '/', roleName)
  return { all: [{ resource, shown, conditions: { ...tags, ...conditionsOf(role) } }] }
}

/** Throws `NoSuchEntity`. */
export async function findRole({ store, scope }: OperationContext, roleName: string): Promise<RoleRow> {
  const role = await store.roles.get(scope, roleName)
  if (role === undefined) throw noSuchRole(roleName)
  return role
}

/** A role that its owner may change; throws `UnmodifiableEntity` for those of services. */
export async function findOwnRole(context: OperationContext, roleName: string): Promise<RoleRow> {
  const role = await findRole(context, roleName)
  if (!role.path.startsWith(SERVICE_ROLE_PATH)) return role
  throw new AwsError(
    'UnmodifiableEntity',
    `Cannot perform the operation on the protected role '${roleName}' - this role is only modifiable by AWS`,
  )
}

export function noSuchRole(roleName: string): AwsError {
  return noSuchEntity(`The role with name ${roleName} cannot be found.`)
}

/** As lists and instance profiles show it. */
export function roleSummary(context: OperationContext, role: RoleRow): Role {
  return {
    Path: role.path,
    RoleName: role.roleName,
    RoleId: role.roleId,
    Arn: roleArn(context, role.path, role.roleName),
    CreateDate: new Date(role.createdAt),
    AssumeRolePolicyDocument: encodeDocument(role.trustPolicy),
    Description: role.description ?? undefined,
    MaxSessionDuration: role.maxSessionDuration,
  }
}

/** Everything there is to tell of a role. */
export async function roleDetail(context: OperationContext, role: RoleRow): Promise<Role> {
  const tags = await context.store.tags.list(context.scope, ROLE_TAGS, role.roleName)
  return {
    ...roleSummary(context, role),
    PermissionsBoundary: attachedBoundary(role.permissionsBoundary),
    Tags: tags.length === 0 ? undefined : tags,
    RoleLastUsed: {
      ...(role.lastUsedAt !== null && { LastUsedDate: new Date(role.lastUsedAt) }),
      ...(role.lastUsedRegion !== null && { Region: role.lastUsedRegion }),
    },
  }
}
