import { iamOperations } from '@sallyport/protocol/api/iam'
import { groupArn } from '@sallyport/server/iam/arns'
import { operation } from '../../operation.ts'
import { alreadyExists, noSuchGroup } from './errors.ts'
import { groupCheck } from './groups.ts'

/** Needs permission on the group as it is and as it is going to be called (API reference, UpdateGroup). */
export const updateGroup = operation({
  input: iamOperations.UpdateGroup.input,
  callers: ['person'],
  changesAccess: true,
  access: async ({ GroupName, NewGroupName = GroupName, NewPath }, context) => {
    const path = (await context.store.groups.get(context.scope, GroupName))?.path ?? '/'
    const newArn = groupArn(context, NewPath ?? path, NewGroupName)
    const shown = groupArn(context, NewPath ?? '/', NewGroupName)
    return { all: [await groupCheck(context, GroupName), { resource: newArn, shown }] }
  },
  run: async ({ store, scope }, { GroupName, NewGroupName: newName, NewPath: newPath }) => {
    const updated = await store.groups.update(scope, GroupName, { newName, newPath })
    if (updated === 'missing') throw noSuchGroup(GroupName)
    if (updated === 'taken') throw alreadyExists(`Group with name ${newName} already exists.`)
    return {}
  },
})
