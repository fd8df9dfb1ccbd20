import { iamOperations } from '@sallyport/protocol/api/iam'
import type { PolicyOutput } from '@sallyport/protocol/api/iam-policies'
import { operation } from '../../operation.ts'
import { getKnownPolicy, isAws, POLICY, policyAccess, policyOutput } from './managed-policies.ts'

export const getPolicy = operation({
  input: iamOperations.GetPolicy.input,
  callers: ['person'],
  access: ({ PolicyArn }, context) => policyAccess(context, PolicyArn),
  run: async (context, { PolicyArn }): Promise<PolicyOutput> => {
    const { store, scope } = context
    const policy = await getKnownPolicy(context, PolicyArn)
    const usage = await store.policies.usage(scope, [PolicyArn])
    const Tags = isAws(policy) ? [] : await store.tags.list(scope, POLICY.type, policy.policyName)
    const Description = policy.description ?? undefined
    return { Policy: { ...policyOutput(policy, usage.get(PolicyArn)), Description, Tags } }
  },
})
