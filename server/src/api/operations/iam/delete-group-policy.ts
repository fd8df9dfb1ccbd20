import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { deleteInlinePolicy } from './inline-policies.ts'
import { ofGroup, ownerAccess } from './policy-owners.ts'

export const deleteGroupPolicy = operation({
  input: iamOperations.DeleteGroupPolicy.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ GroupName }, context) => ownerAccess(context, ofGroup(GroupName)),
  run: (context, { GroupName, PolicyName }) => deleteInlinePolicy(context, ofGroup(GroupName), PolicyName),
})
