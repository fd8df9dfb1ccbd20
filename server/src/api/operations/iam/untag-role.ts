import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { findOwnRole, ROLE, roleAccess } from './roles.ts'
import { changedTagKeys, removeTags } from './tags.ts'

/** Keys that the role does not have are ignored. */
export const untagRole = operation({
  input: iamOperations.UntagRole.input,
  callers: ['person'],
  access: async ({ RoleName, TagKeys }, context) => {
    const changed = await changedTagKeys(context, ROLE, RoleName, TagKeys)
    return roleAccess(context, RoleName, () => changed)
  },
  changesAccess: true,
  run: async (context, { RoleName, TagKeys }) => {
    await findOwnRole(context, RoleName)
    await removeTags(context, ROLE, RoleName, TagKeys)
    return {}
  },
})
