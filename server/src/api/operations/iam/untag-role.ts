import { iamOperations } from '@sallyport/protocol/api/iam'
import { tagKeyConditions } from '@sallyport/server/iam/tag-conditions'
import { operation } from '../../operation.ts'
import { findOwnRole, ROLE, roleAccess } from './roles.ts'
import { removeTags } from './tags.ts'

/** Keys that the role does not have are ignored. */
export const untagRole = operation({
  input: iamOperations.UntagRole.input,
  callers: ['person'],
  access: ({ RoleName, TagKeys }, context) => roleAccess(context, RoleName, () => tagKeyConditions(TagKeys)),
  changesAccess: true,
  run: async (context, { RoleName, TagKeys }) => {
    await findOwnRole(context, RoleName)
    await removeTags(context, ROLE, RoleName, TagKeys)
    return {}
  },
})
