import { iamOperations } from '@sallyport/protocol/api/iam'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import { operation } from '../../operation.ts'
import { findOwnRole, ROLE, roleAccess } from './roles.ts'
import { addTags, changedTagKeys } from './tags.ts'

export const tagRole = operation({
  input: iamOperations.TagRole.input,
  callers: ['person'],
  access: async ({ RoleName, Tags }, context) => {
    const keys = Tags.map(({ Key }) => Key)
    const changed = await changedTagKeys(context, ROLE, RoleName, keys)
    return roleAccess(context, RoleName, () => ({ ...requestTagConditions(Tags), ...changed }))
  },
  changesAccess: true,
  run: async (context, { RoleName, Tags }) => {
    await findOwnRole(context, RoleName)
    await addTags(context, ROLE, RoleName, Tags)
    return {}
  },
})
