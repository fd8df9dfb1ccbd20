import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { userResource } from '../../resources.ts'
import { checkUser, mergeUserTags, USER_TAGS } from './users.ts'

export const tagUser = operation({
  input: iamOperations.TagUser.input,
  callers: ['user'],
  resources: (input, context) => [userResource(context, input.UserName)],
  run: async (context, { UserName, Tags }) => {
    const { store, scope } = context
    await checkUser(context, UserName)
    const { added, replaced } = mergeUserTags(await store.tags.list(scope, USER_TAGS, UserName), Tags)
    await store.tags.change(scope, USER_TAGS, UserName, { removed: replaced, added })
    return {}
  },
})
