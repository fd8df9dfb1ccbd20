import { iamOperations } from '@sallyport/protocol/api/iam'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import { operation } from '../../operation.ts'
import { getOwnPolicy, POLICY, policyAccess } from './managed-policies.ts'
import { addTags } from './tags.ts'

export const tagPolicy = operation({
  input: iamOperations.TagPolicy.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ PolicyArn, Tags }, context) => policyAccess(context, PolicyArn, requestTagConditions(Tags)),
  run: async (context, { PolicyArn, Tags }) => {
    const { policyName } = await getOwnPolicy(context, PolicyArn)
    await addTags(context, POLICY, policyName, Tags)
    return {}
  },
})
