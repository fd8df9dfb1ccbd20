import { iamOperations } from '@sallyport/protocol/api/iam'
import type { GetGroupOutput } from '@sallyport/protocol/api/iam-users'
import { operation } from '../../operation.ts'
import { describeGroup, findGroup, groupAccess } from './groups.ts'
import { iamPage } from './pages.ts'
import { describeUser } from './users.ts'

/** With its users, by name; those are what pages are of. */
export const getGroup = operation({
  input: iamOperations.GetGroup.input,
  callers: ['person'],
  access: (input, context) => groupAccess(context, input.GroupName),
  run: async (context, input): Promise<GetGroupOutput> => {
    const group = await findGroup(context, input.GroupName)
    const users = await context.store.groups.members(context.scope, input.GroupName)
    const { page, ...rest } = iamPage(users, input, ({ userName }) => userName)
    return {
      Group: describeGroup(context, group),
      Users: page.map(user => describeUser(context, user)),
      ...rest,
    }
  },
})
