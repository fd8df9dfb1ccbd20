import { iamOperations } from '@sallyport/protocol/api/iam'
import { MAXIMUM_GROUPS_PER_USER } from '@sallyport/server/store/groups'
import { operation } from '../../operation.ts'
import { noSuchGroup, noSuchUser, quotaExceeded } from './errors.ts'
import { groupAccess } from './groups.ts'

export const addUserToGroup = operation({
  input: iamOperations.AddUserToGroup.input,
  callers: ['person'],
  changesAccess: true,
  access: (input, context) => groupAccess(context, input.GroupName),
  run: async ({ store, scope }, { GroupName, UserName }) => {
    const added = await store.groups.addUser(scope, GroupName, UserName)
    if (added === 'no-group') throw noSuchGroup(GroupName)
    if (added === 'no-user') throw noSuchUser(UserName)
    if (added === 'full') throw quotaExceeded('GroupsPerUser', MAXIMUM_GROUPS_PER_USER)
    return {}
  },
})
