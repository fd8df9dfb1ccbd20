import type { User } from '@sallyport/protocol/api/iam-users'
import type { Tag } from '@sallyport/protocol/api/tags'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { AccessCheck, AccessPlan, ConditionValues } from '@sallyport/server/iam/access-plan'
import { userArn } from '@sallyport/server/iam/arns'
import type { Person } from '@sallyport/server/iam/principal'
import type { UserRow } from '@sallyport/server/store/schema'
import { USER_TAGS } from '@sallyport/server/store/users'
import type { OperationContext } from '../../operation.ts'
import { attachedBoundary } from './boundaries.ts'
import { noSuchUser } from './errors.ts'
import { ownTagConditions, type Tagged } from './tags.ts'

export const USERS: Tagged = { type: USER_TAGS, noun: 'user', caseSensitive: false }

/** The user whom a request names, or who makes it when it names none. Throws when that is no user. */
export function userOrCaller(userName: string | undefined, caller: Person): string {
  if (userName !== undefined) return userName
  if (caller.kind === 'user') return caller.userName
  throw new AwsError('ValidationError', 'Must specify userName when calling with non-User credentials')
}

/** Throws `NoSuchEntity`. */
export async function findUser({ store, scope }: OperationContext, userName: string): Promise<UserRow> {
  const user = await store.users.get(scope, userName)
  if (user === undefined) throw noSuchUser(userName)
  return user
}

/** The operation's action on a user, who may not be there: then policies see one without a path. */
export async function userAccess(
  context: OperationContext,
  userName: string,
  requested: ConditionValues = {},
): Promise<AccessPlan> {
  return { all: [await userCheck(context, userName, requested)] }
}

/** `requested` are the conditions that the request makes; they stand in front of what the user is like. */
export async function userCheck(
  context: OperationContext,
  userName: string,
  requested: ConditionValues = {},
): Promise<AccessCheck> {
  const user = await context.store.users.get(context.scope, userName)
  if (user === undefined) return { resource: userArn(context, '/', userName), conditions: requested }
  const tags = await ownTagConditions(context, USERS, userName)
  const conditions = { ...tags, ...boundaryCondition(user.permissionsBoundary), ...requested }
  return {
    resource: userArn(context, user.path, userName),
    shown: userArn(context, '/', userName),
    conditions,
  }
}

/** IAM User Guide, "IAM and AWS STS condition context keys": iam:PermissionsBoundary. */
export function boundaryCondition(policyArn: string | null | undefined): ConditionValues {
  return policyArn === null || policyArn === undefined ? {} : { 'iam:PermissionsBoundary': policyArn }
}

/** As lists show users. */
export function describeUser(context: OperationContext, user: UserRow): User {
  return {
    Path: user.path,
    UserName: user.userName,
    UserId: user.userId,
    Arn: userArn(context, user.path, user.userName),
    CreateDate: new Date(user.createdAt),
  }
}

/** As GetUser shows one. */
export function describeWholeUser(context: OperationContext, user: UserRow, tags: readonly Tag[]): User {
  return {
    ...describeUser(context, user),
    PermissionsBoundary: attachedBoundary(user.permissionsBoundary),
    Tags: tags.length > 0 ? tags : undefined,
  }
}
