import { iamOperations } from '@sallyport/protocol/api/iam'
import type { ListUsersOutput } from '@sallyport/protocol/api/iam-users'
import { userArn } from '@sallyport/server/iam/arns'
import { operation } from '../../operation.ts'
import { iamPage } from './pages.ts'
import { describeUser } from './users.ts'

/** By name. */
export const listUsers = operation({
  input: iamOperations.ListUsers.input,
  callers: ['person'],
  access: ({ PathPrefix = '/' }, context) => ({ all: [{ resource: userArn(context, PathPrefix, '') }] }),
  run: async (context, input): Promise<ListUsersOutput> => {
    const { PathPrefix = '/' } = input
    const all = await context.store.users.list(context.scope)
    const below = all.filter(({ path }) => path.startsWith(PathPrefix))
    const { page, ...rest } = iamPage(below, input, ({ userName }) => userName)
    return { Users: page.map(user => describeUser(context, user)), ...rest }
  },
})
