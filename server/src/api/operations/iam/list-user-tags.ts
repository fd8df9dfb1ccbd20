import { iamOperations } from '@sallyport/protocol/api/iam'
import type { ListTagsOutput } from '@sallyport/protocol/api/iam-types'
import { operation } from '../../operation.ts'
import { iamPage } from './pages.ts'
import { findUser, USERS, userAccess } from './users.ts'

/** By key. */
export const listUserTags = operation({
  input: iamOperations.ListUserTags.input,
  callers: ['person'],
  access: (input, context) => userAccess(context, input.UserName),
  run: async (context, input): Promise<ListTagsOutput> => {
    await findUser(context, input.UserName)
    const tags = await context.store.tags.list(context.scope, USERS.type, input.UserName)
    const { page, ...rest } = iamPage(tags, input, ({ Key }) => Key)
    return { Tags: page, ...rest }
  },
})
