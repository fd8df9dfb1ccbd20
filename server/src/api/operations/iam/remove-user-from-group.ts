import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { noSuchGroup, noSuchUser } from './errors.ts'
import { groupAccess } from './groups.ts'

export const removeUserFromGroup = operation({
  input: iamOperations.RemoveUserFromGroup.input,
  callers: ['person'],
  changesAccess: true,
  access: (input, context) => groupAccess(context, input.GroupName),
  run: async ({ store, scope }, { GroupName, UserName }) => {
    const removed = await store.groups.removeUser(scope, GroupName, UserName)
    if (removed === 'no-group') throw noSuchGroup(GroupName)
    if (removed === 'no-user') throw noSuchUser(UserName)
    return {}
  },
})
