import { iamOperations } from '@sallyport/protocol/api/iam'
import type { ListTagsOutput } from '@sallyport/protocol/api/iam-types'
import { operation } from '../../operation.ts'
import { getKnownPolicy, isAws, POLICY, policyAccess } from './managed-policies.ts'
import { iamPage } from './pages.ts'

/** By key. */
export const listPolicyTags = operation({
  input: iamOperations.ListPolicyTags.input,
  callers: ['person'],
  access: ({ PolicyArn }, context) => policyAccess(context, PolicyArn),
  run: async (context, input): Promise<ListTagsOutput> => {
    const { store, scope } = context
    const policy = await getKnownPolicy(context, input.PolicyArn)
    const all = isAws(policy) ? [] : await store.tags.list(scope, POLICY.type, policy.policyName)
    const { page, ...rest } = iamPage(all, input, ({ Key }) => Key)
    return { Tags: page, ...rest }
  },
})
