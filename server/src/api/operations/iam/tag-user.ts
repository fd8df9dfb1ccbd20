import { iamOperations } from '@sallyport/protocol/api/iam'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import { operation } from '../../operation.ts'
import { addTags } from './tags.ts'
import { findUser, USERS, userAccess } from './users.ts'

export const tagUser = operation({
  input: iamOperations.TagUser.input,
  callers: ['person'],
  changesAccess: true,
  access: (input, context) => userAccess(context, input.UserName, requestTagConditions(input.Tags)),
  run: async (context, { UserName, Tags }) => {
    await findUser(context, UserName)
    await addTags(context, USERS, UserName, Tags)
    return {}
  },
})
