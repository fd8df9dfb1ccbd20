import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { userResource } from '../../resources.ts'
import { checkUser, USER_TAGS } from './users.ts'

/** Keys that the user does not have are ignored. */
export const untagUser = operation({
  input: iamOperations.UntagUser.input,
  callers: ['user'],
  resources: (input, context) => [userResource(context, input.UserName)],
  run: async (context, { UserName, TagKeys }) => {
    const { store, scope } = context
    await checkUser(context, UserName)
    const given = new Set(TagKeys.map(key => key.toLowerCase()))
    const present = await store.tags.list(scope, USER_TAGS, UserName)
    const keys = present.map(({ Key }) => Key).filter(key => given.has(key.toLowerCase()))
    await store.tags.remove(scope, USER_TAGS, UserName, keys)
    return {}
  },
})
