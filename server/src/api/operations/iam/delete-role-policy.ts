import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { deleteInlinePolicy } from './inline-policies.ts'
import { ofRole, ownerAccess } from './policy-owners.ts'

export const deleteRolePolicy = operation({
  input: iamOperations.DeleteRolePolicy.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ RoleName }, context) => ownerAccess(context, ofRole(RoleName)),
  run: (context, { RoleName, PolicyName }) => deleteInlinePolicy(context, ofRole(RoleName), PolicyName),
})
