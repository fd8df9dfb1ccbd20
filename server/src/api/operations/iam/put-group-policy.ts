import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { putPolicy } from './inline-policies.ts'
import { ofGroup, ownerAccess } from './policy-owners.ts'

export const putGroupPolicy = operation({
  input: iamOperations.PutGroupPolicy.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ GroupName }, context) => ownerAccess(context, ofGroup(GroupName)),
  run: (context, input) => putPolicy(context, ofGroup(input.GroupName), input),
})
