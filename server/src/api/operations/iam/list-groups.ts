import { iamOperations } from '@sallyport/protocol/api/iam'
import type { ListGroupsOutput } from '@sallyport/protocol/api/iam-users'
import { groupArn } from '@sallyport/server/iam/arns'
import { operation } from '../../operation.ts'
import { describeGroup } from './groups.ts'
import { iamPage } from './pages.ts'

/** By name. */
export const listGroups = operation({
  input: iamOperations.ListGroups.input,
  callers: ['person'],
  access: ({ PathPrefix = '/' }, context) => ({ all: [{ resource: groupArn(context, PathPrefix, '') }] }),
  run: async (context, input): Promise<ListGroupsOutput> => {
    const { PathPrefix = '/' } = input
    const all = await context.store.groups.list(context.scope)
    const below = all.filter(({ path }) => path.startsWith(PathPrefix))
    const { page, ...rest } = iamPage(below, input, ({ groupName }) => groupName)
    return { Groups: page.map(group => describeGroup(context, group)), ...rest }
  },
})
