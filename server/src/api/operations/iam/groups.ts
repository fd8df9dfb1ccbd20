import type { Group } from '@sallyport/protocol/api/iam-users'
import type { AccessCheck, AccessPlan } from '@sallyport/server/iam/access-plan'
import { groupArn } from '@sallyport/server/iam/arns'
import type { UserGroupRow } from '@sallyport/server/store/schema'
import type { OperationContext } from '../../operation.ts'
import { noSuchGroup } from './errors.ts'

/** Throws `NoSuchEntity`. */
export async function findGroup(
  { store, scope }: OperationContext,
  groupName: string,
): Promise<UserGroupRow> {
  const group = await store.groups.get(scope, groupName)
  if (group === undefined) throw noSuchGroup(groupName)
  return group
}

/** The operation's action on a group, which may not be there: then policies see one without a path. */
export async function groupAccess(context: OperationContext, groupName: string): Promise<AccessPlan> {
  return { all: [await groupCheck(context, groupName)] }
}

export async function groupCheck(context: OperationContext, groupName: string): Promise<AccessCheck> {
  const group = await context.store.groups.get(context.scope, groupName)
  const shown = groupArn(context, '/', groupName)
  return { resource: groupArn(context, group?.path ?? '/', groupName), shown }
}

export function describeGroup(context: OperationContext, group: UserGroupRow): Group {
  return {
    Path: group.path,
    GroupName: group.groupName,
    GroupId: group.groupId,
    Arn: groupArn(context, group.path, group.groupName),
    CreateDate: new Date(group.createdAt),
  }
}
