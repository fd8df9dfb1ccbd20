import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { noSuchAccessKey } from './errors.ts'
import { findUser, userAccess, userOrCaller } from './users.ts'

export const updateAccessKey = operation({
  input: iamOperations.UpdateAccessKey.input,
  callers: ['person'],
  changesAccess: true,
  access: (input, context, caller) => userAccess(context, userOrCaller(input.UserName, caller)),
  run: async (context, { UserName, AccessKeyId, Status }, caller) => {
    const { store, scope } = context
    const { userName } = await findUser(context, userOrCaller(UserName, caller))
    const found = await store.accessKeys.setStatus(scope, userName, AccessKeyId, Status)
    if (!found) throw noSuchAccessKey(AccessKeyId)
    return {}
  },
})
