import { iamOperations } from '@sallyport/protocol/api/iam'
import type { ListGroupsOutput } from '@sallyport/protocol/api/iam-users'
import { operation } from '../../operation.ts'
import { describeGroup } from './groups.ts'
import { iamPage } from './pages.ts'
import { findUser, userAccess } from './users.ts'

/** By name. */
export const listGroupsForUser = operation({
  input: iamOperations.ListGroupsForUser.input,
  callers: ['person'],
  access: (input, context) => userAccess(context, input.UserName),
  run: async (context, input): Promise<ListGroupsOutput> => {
    const { store, scope } = context
    await findUser(context, input.UserName)
    const names = new Set(await store.groups.ofUser(scope, input.UserName))
    const groups = (await store.groups.list(scope)).filter(({ groupName }) => names.has(groupName))
    const { page, ...rest } = iamPage(groups, input, ({ groupName }) => groupName)
    return { Groups: page.map(group => describeGroup(context, group)), ...rest }
  },
})
