import { iamOperations } from '@sallyport/protocol/api/iam'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import { operation } from '../../operation.ts'
import { addTags, changedTagKeys } from './tags.ts'
import { findUser, USERS, userAccess } from './users.ts'

export const tagUser = operation({
  input: iamOperations.TagUser.input,
  callers: ['person'],
  changesAccess: true,
  access: async ({ UserName, Tags }, context) => {
    const keys = Tags.map(({ Key }) => Key)
    const changed = await changedTagKeys(context, USERS, UserName, keys)
    return userAccess(context, UserName, { ...requestTagConditions(Tags), ...changed })
  },
  run: async (context, { UserName, Tags }) => {
    await findUser(context, UserName)
    await addTags(context, USERS, UserName, Tags)
    return {}
  },
})
