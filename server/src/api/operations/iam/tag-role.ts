import { iamOperations } from '@sallyport/protocol/api/iam'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import { operation } from '../../operation.ts'
import { findOwnRole, ROLE, roleAccess } from './roles.ts'
import { addTags } from './tags.ts'

export const tagRole = operation({
  input: iamOperations.TagRole.input,
  callers: ['person'],
  access: ({ RoleName, Tags }, context) => roleAccess(context, RoleName, () => requestTagConditions(Tags)),
  changesAccess: true,
  run: async (context, { RoleName, Tags }) => {
    await findOwnRole(context, RoleName)
    await addTags(context, ROLE, RoleName, Tags)
    return {}
  },
})
