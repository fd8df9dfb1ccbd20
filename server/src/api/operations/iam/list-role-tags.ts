import { iamOperations } from '@sallyport/protocol/api/iam'
import type { ListTagsOutput } from '@sallyport/protocol/api/iam-types'
import { operation } from '../../operation.ts'
import { iamPage } from './pages.ts'
import { findRole, ROLE, roleAccess } from './roles.ts'

export const listRoleTags = operation({
  input: iamOperations.ListRoleTags.input,
  callers: ['person'],
  access: ({ RoleName }, context) => roleAccess(context, RoleName),
  run: async (context, { RoleName, ...paging }): Promise<ListTagsOutput> => {
    await findRole(context, RoleName)
    const tags = await context.store.tags.list(context.scope, ROLE.type, RoleName)
    const { page, ...more } = iamPage(tags, paging, ({ Key }) => Key)
    return { Tags: page, ...more }
  },
})
