import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { changedTagKeys, removeTags } from './tags.ts'
import { findUser, USERS, userAccess } from './users.ts'

/** Keys that the user does not have are ignored. */
export const untagUser = operation({
  input: iamOperations.UntagUser.input,
  callers: ['person'],
  changesAccess: true,
  access: async ({ UserName, TagKeys }, context) =>
    userAccess(context, UserName, await changedTagKeys(context, USERS, UserName, TagKeys)),
  run: async (context, { UserName, TagKeys }) => {
    await findUser(context, UserName)
    await removeTags(context, USERS, UserName, TagKeys)
    return {}
  },
})
