import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { noSuchAccessKey } from './errors.ts'
import { findUser, userAccess, userOrCaller } from './users.ts'

export const deleteAccessKey = operation({
  input: iamOperations.DeleteAccessKey.input,
  callers: ['person'],
  changesAccess: true,
  access: (input, context, caller) => userAccess(context, userOrCaller(input.UserName, caller)),
  run: async (context, { UserName, AccessKeyId }, caller) => {
    const { store, scope } = context
    const { userName } = await findUser(context, userOrCaller(UserName, caller))
    if (!(await store.accessKeys.remove(scope, userName, AccessKeyId))) throw noSuchAccessKey(AccessKeyId)
    return {}
  },
})
