import { iamOperations } from '@sallyport/protocol/api/iam'
import type { GetUserPolicyOutput } from '@sallyport/protocol/api/iam-policies'
import { operation } from '../../operation.ts'
import { getInlinePolicy } from './inline-policies.ts'
import { ofUser, ownerAccess } from './policy-owners.ts'

export const getUserPolicy = operation({
  input: iamOperations.GetUserPolicy.input,
  callers: ['person'],
  access: ({ UserName }, context) => ownerAccess(context, ofUser(UserName)),
  run: async (context, { UserName, PolicyName }): Promise<GetUserPolicyOutput> => ({
    UserName,
    ...(await getInlinePolicy(context, ofUser(UserName), PolicyName)),
  }),
})
