import { iamOperations } from '@sallyport/protocol/api/iam'
import type { GetRolePolicyOutput } from '@sallyport/protocol/api/iam-policies'
import { operation } from '../../operation.ts'
import { getInlinePolicy } from './inline-policies.ts'
import { ofRole, ownerAccess } from './policy-owners.ts'

export const getRolePolicy = operation({
  input: iamOperations.GetRolePolicy.input,
  callers: ['person'],
  access: ({ RoleName }, context) => ownerAccess(context, ofRole(RoleName)),
  run: async (context, { RoleName, PolicyName }): Promise<GetRolePolicyOutput> => ({
    RoleName,
    ...(await getInlinePolicy(context, ofRole(RoleName), PolicyName)),
  }),
})
