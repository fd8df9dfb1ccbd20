import { iamOperations } from '@sallyport/protocol/api/iam'
import type { UserOutput } from '@sallyport/protocol/api/iam-users'
import { operation } from '../../operation.ts'
import { describeWholeUser, findUser, USERS, userAccess, userOrCaller } from './users.ts'

export const getUser = operation({
  input: iamOperations.GetUser.input,
  callers: ['person'],
  access: (input, context, caller) => userAccess(context, userOrCaller(input.UserName, caller)),
  run: async (context, input, caller): Promise<UserOutput> => {
    const user = await findUser(context, userOrCaller(input.UserName, caller))
    const tags = await context.store.tags.list(context.scope, USERS.type, user.userName)
    return { User: describeWholeUser(context, user, tags) }
  },
})
