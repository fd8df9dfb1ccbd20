import { iamOperations } from '@sallyport/protocol/api/iam'
import type { GroupRemoval } from '@sallyport/server/store/groups'
import { operation } from '../../operation.ts'
import { deleteConflict, noSuchGroup } from './errors.ts'
import { groupAccess } from './groups.ts'

export const deleteGroup = operation({
  input: iamOperations.DeleteGroup.input,
  callers: ['person'],
  changesAccess: true,
  access: (input, context) => groupAccess(context, input.GroupName),
  run: async ({ store, scope }, { GroupName }) => {
    const removal = await store.groups.remove(scope, GroupName)
    if (removal === 'missing') throw noSuchGroup(GroupName)
    if (removal !== 'removed') throw deleteConflict(`Cannot delete entity, ${TO_DO[removal]}`)
    return {}
  },
})

const TO_DO: Readonly<Record<Exclude<GroupRemoval, 'removed' | 'missing'>, string>> = {
  'attached-policies': 'must detach all policies first.',
  'inline-policies': 'must delete policies first.',
  users: 'must remove users from group first.',
}
