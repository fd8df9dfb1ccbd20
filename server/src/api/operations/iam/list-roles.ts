import { iamOperations } from '@sallyport/protocol/api/iam'
import type { ListRolesOutput } from '@sallyport/protocol/api/iam-roles'
import { roleArn } from '@sallyport/server/iam/arns'
import { operation } from '../../operation.ts'
import { iamPage } from './pages.ts'
import { roleSummary } from './roles.ts'

export const listRoles = operation({
  input: iamOperations.ListRoles.input,
  callers: ['person'],
  access: ({ PathPrefix = '/' }, context) => ({ all: [{ resource: roleArn(context, PathPrefix, '') }] }),
  run: async (context, { PathPrefix = '/', ...paging }): Promise<ListRolesOutput> => {
    const roles = (await context.store.roles.list(context.scope)).filter(({ path }) =>
      path.startsWith(PathPrefix),
    )
    const { page, ...more } = iamPage(roles, paging, ({ roleName }) => roleName)
    return { Roles: page.map(role => roleSummary(context, role)), ...more }
  },
})
