import { iamOperations } from '@sallyport/protocol/api/iam'
import type { UserRemoval } from '@sallyport/server/store/users'
import { operation } from '../../operation.ts'
import { deleteConflict, noSuchUser } from './errors.ts'
import { userAccess } from './users.ts'

/** With its tags. Everything else that it has must go first. */
export const deleteUser = operation({
  input: iamOperations.DeleteUser.input,
  callers: ['person'],
  changesAccess: true,
  access: (input, context) => userAccess(context, input.UserName),
  run: async ({ store, scope }, { UserName }) => {
    const removal = await store.users.remove(scope, UserName)
    if (removal === 'missing') throw noSuchUser(UserName)
    if (removal !== 'removed') throw deleteConflict(`Cannot delete entity, ${TO_DO[removal]}`)
    return {}
  },
})

const TO_DO: Readonly<Record<Exclude<UserRemoval, 'removed' | 'missing'>, string>> = {
  'access-keys': 'must delete access keys first.',
  'attached-policies': 'must detach all policies first.',
  groups: 'must remove users from group first.',
  'inline-policies': 'must delete policies first.',
  'login-profile': 'must delete login profile first.',
}
