import type { AwsError } from '@sallyport/protocol/aws/error'
import type { AccessPlan, ConditionValues } from '@sallyport/server/iam/access-plan'
import { groupArn, roleArn, userArn } from '@sallyport/server/iam/arns'
import type { Owner } from '@sallyport/server/store/owner-policies'
import { USER_TAGS } from '@sallyport/server/store/users'
import type { OperationContext } from '../../operation.ts'
import { noSuchEntity, noSuchGroup, noSuchUser } from './errors.ts'
import { findOwnRole, noSuchRole, ROLE } from './roles.ts'
import { ownTagConditions } from './tags.ts'

// Users, groups and roles have policies in the same way; here is what differs.

export const ofUser = (ownerName: string): Owner => ({ ownerType: 'user', ownerName })
export const ofGroup = (ownerName: string): Owner => ({ ownerType: 'group', ownerName })
export const ofRole = (ownerName: string): Owner => ({ ownerType: 'role', ownerName })

const USER = { type: USER_TAGS, noun: 'user', caseSensitive: false }

type OwnerRow = { path: string; permissionsBoundary?: string | null }

/** What an operation on the policies of somebody asks of policies: somebody's ARN, with tags and boundary. */
export async function ownerAccess(
  context: OperationContext,
  owner: Owner,
  conditions: ConditionValues = {},
): Promise<AccessPlan> {
  const row = await findOwner(context, owner)
  const boundary = row?.permissionsBoundary
  return {
    all: [
      {
        resource: ownerArn(context, owner, row?.path ?? '/'),
        shown: ownerArn(context, owner, '/'),
        conditions: {
          ...(await tagConditions(context, owner)),
          ...(boundary ? { 'iam:PermissionsBoundary': boundary } : {}),
          ...conditions,
        },
      },
    ],
  }
}

/** Throws `NoSuchEntity`. */
export async function checkOwner(context: OperationContext, owner: Owner): Promise<void> {
  if ((await findOwner(context, owner)) === undefined) throw noSuchOwner(owner)
}

/** Throws `NoSuchEntity`, or `UnmodifiableEntity` for the roles of services. */
export async function checkOwnerToChange(context: OperationContext, owner: Owner): Promise<void> {
  if (owner.ownerType === 'role') await findOwnRole(context, owner.ownerName)
  else await checkOwner(context, owner)
}

export function noSuchOwner({ ownerType, ownerName }: Owner): AwsError {
  switch (ownerType) {
    case 'user':
      return noSuchUser(ownerName)
    case 'group':
      return noSuchGroup(ownerName)
    case 'role':
      return noSuchRole(ownerName)
  }
}

export function noSuchInline({ ownerType }: Owner, policyName: string): AwsError {
  return noSuchEntity(`The ${ownerType} policy with name ${policyName} cannot be found.`)
}

async function findOwner(
  { store, scope }: OperationContext,
  { ownerType, ownerName }: Owner,
): Promise<OwnerRow | undefined> {
  switch (ownerType) {
    case 'user':
      return await store.users.get(scope, ownerName)
    case 'group':
      return await store.groups.get(scope, ownerName)
    case 'role':
      return await store.roles.get(scope, ownerName)
  }
}

function ownerArn(context: OperationContext, { ownerType, ownerName }: Owner, path: string): string {
  switch (ownerType) {
    case 'user':
      return userArn(context, path, ownerName)
    case 'group':
      return groupArn(context, path, ownerName)
    case 'role':
      return roleArn(context, path, ownerName)
  }
}

/** Groups have no tags. */
async function tagConditions(
  context: OperationContext,
  { ownerType, ownerName }: Owner,
): Promise<ConditionValues> {
  if (ownerType === 'group') return {}
  return await ownTagConditions(context, ownerType === 'user' ? USER : ROLE, ownerName)
}
