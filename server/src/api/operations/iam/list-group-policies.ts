import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { listInlinePolicies } from './inline-policies.ts'
import { ofGroup, ownerAccess } from './policy-owners.ts'

/** The names of the group's own policies. */
export const listGroupPolicies = operation({
  input: iamOperations.ListGroupPolicies.input,
  callers: ['person'],
  access: ({ GroupName }, context) => ownerAccess(context, ofGroup(GroupName)),
  run: (context, input) => listInlinePolicies(context, ofGroup(input.GroupName), input),
})
