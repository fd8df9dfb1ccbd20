import { iamOperations } from '@sallyport/protocol/api/iam'
import { tagKeyConditions } from '@sallyport/server/iam/tag-conditions'
import { operation } from '../../operation.ts'
import { removeTags } from './tags.ts'
import { findUser, USERS, userAccess } from './users.ts'

/** Keys that the user does not have are ignored. */
export const untagUser = operation({
  input: iamOperations.UntagUser.input,
  callers: ['person'],
  changesAccess: true,
  access: (input, context) => userAccess(context, input.UserName, tagKeyConditions(input.TagKeys)),
  run: async (context, { UserName, TagKeys }) => {
    await findUser(context, UserName)
    await removeTags(context, USERS, UserName, TagKeys)
    return {}
  },
})
