import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { listAttachedPolicies } from './attachments.ts'
import { ofGroup, ownerAccess } from './policy-owners.ts'

export const listAttachedGroupPolicies = operation({
  input: iamOperations.ListAttachedGroupPolicies.input,
  callers: ['person'],
  access: ({ GroupName }, context) => ownerAccess(context, ofGroup(GroupName)),
  run: (context, input) => listAttachedPolicies(context, ofGroup(input.GroupName), input),
})
