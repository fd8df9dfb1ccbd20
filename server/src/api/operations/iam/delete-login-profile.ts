import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { noSuchLoginProfile } from './errors.ts'
import { findUser, userAccess, userOrCaller } from './users.ts'

export const deleteLoginProfile = operation({
  input: iamOperations.DeleteLoginProfile.input,
  callers: ['person'],
  access: (input, context, caller) => userAccess(context, userOrCaller(input.UserName, caller)),
  run: async (context, input, caller) => {
    const { userName } = await findUser(context, userOrCaller(input.UserName, caller))
    const removed = await context.store.loginProfiles.remove(context.scope, userName)
    if (!removed) throw noSuchLoginProfile(userName)
    return {}
  },
})
