import { iamOperations } from '@sallyport/protocol/api/iam'
import { tagKeyConditions } from '@sallyport/server/iam/tag-conditions'
import { operation } from '../../operation.ts'
import { getOwnPolicy, POLICY, policyAccess } from './managed-policies.ts'
import { removeTags } from './tags.ts'

/** Keys that the policy does not have are ignored. */
export const untagPolicy = operation({
  input: iamOperations.UntagPolicy.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ PolicyArn, TagKeys }, context) => policyAccess(context, PolicyArn, tagKeyConditions(TagKeys)),
  run: async (context, { PolicyArn, TagKeys }) => {
    const { policyName } = await getOwnPolicy(context, PolicyArn)
    await removeTags(context, POLICY, policyName, TagKeys)
    return {}
  },
})
