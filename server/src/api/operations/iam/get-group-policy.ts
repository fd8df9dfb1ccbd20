import { iamOperations } from '@sallyport/protocol/api/iam'
import type { GetGroupPolicyOutput } from '@sallyport/protocol/api/iam-policies'
import { operation } from '../../operation.ts'
import { getInlinePolicy } from './inline-policies.ts'
import { ofGroup, ownerAccess } from './policy-owners.ts'

export const getGroupPolicy = operation({
  input: iamOperations.GetGroupPolicy.input,
  callers: ['person'],
  access: ({ GroupName }, context) => ownerAccess(context, ofGroup(GroupName)),
  run: async (context, { GroupName, PolicyName }): Promise<GetGroupPolicyOutput> => ({
    GroupName,
    ...(await getInlinePolicy(context, ofGroup(GroupName), PolicyName)),
  }),
})
