import { iamOperations } from '@sallyport/protocol/api/iam'
import type { RoleOutput } from '@sallyport/protocol/api/iam-roles'
import { AwsError } from '@sallyport/protocol/aws/error'
import { roleArn } from '@sallyport/server/iam/arns'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import { uniqueId } from '@sallyport/server/iam/unique-id'
import type { NewRole } from '@sallyport/server/store/roles'
import { type OperationContext, operation } from '../../operation.ts'
import { checkBoundary } from './boundaries.ts'
import { alreadyExists, quotaExceeded } from './errors.ts'
import { DEFAULT_SESSION_DURATION, MAXIMUM_ROLES, ROLE, roleDetail, SERVICE_ROLE_PATH } from './roles.ts'
import { creationAccess, newTags } from './tags.ts'
import { checkTrustPolicy } from './trust-policy.ts'

export const createRole = operation({
  input: iamOperations.CreateRole.input,
  callers: ['person'],
  access: ({ RoleName, Path = '/', PermissionsBoundary, Tags }, context) => {
    const conditions = {
      ...requestTagConditions(Tags),
      ...(PermissionsBoundary !== undefined && { 'iam:PermissionsBoundary': PermissionsBoundary }),
    }
    return creationAccess({ resource: roleArn(context, Path, RoleName), conditions }, 'iam:TagRole', Tags)
  },
  // Nodes and activations may name it already.
  changesAccess: true,
  run: async (context, input): Promise<RoleOutput> => {
    const { RoleName, Path = '/', AssumeRolePolicyDocument, PermissionsBoundary } = input
    if (Path.startsWith(SERVICE_ROLE_PATH)) {
      throw new AwsError('InvalidInput', `The path ${SERVICE_ROLE_PATH} is for service-linked roles only.`)
    }
    checkTrustPolicy(AssumeRolePolicyDocument)
    const tags = newTags(ROLE, input.Tags)
    if (PermissionsBoundary !== undefined) await checkBoundary(context, PermissionsBoundary)
    const role = await insertRole(context, {
      roleName: RoleName,
      path: Path,
      description: input.Description ?? null,
      trustPolicy: AssumeRolePolicyDocument,
      maxSessionDuration: input.MaxSessionDuration ?? DEFAULT_SESSION_DURATION,
      permissionsBoundary: PermissionsBoundary ?? null,
      tags,
      taken: () => alreadyExists(`Role with name ${RoleName} already exists.`),
    })
    return { Role: role }
  },
})

type RoleToMake = Omit<NewRole, 'roleId' | 'createdAt'> & {
  tags: ReturnType<typeof newTags>
  /** The error when the name is that of another role. */
  taken: () => AwsError
}

/** Answers with the role as it was made. */
export async function insertRole(context: OperationContext, { tags, taken, ...given }: RoleToMake) {
  const { store, scope, now } = context
  // What refers to a role that was deleted must not find this one: its id is its own.
  const role = { ...given, roleId: uniqueId('AROA'), createdAt: now }
  const outcome = await store.roles.create(scope, role, { tags, limit: MAXIMUM_ROLES })
  if (outcome.created !== undefined) {
    const { RoleLastUsed: _, ...made } = await roleDetail(context, outcome.created)
    return made
  }
  if (outcome.reason === 'taken') throw taken()
  throw quotaExceeded('RolesPerAccount', MAXIMUM_ROLES)
}
