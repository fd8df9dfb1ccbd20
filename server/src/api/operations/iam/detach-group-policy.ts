import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { attachmentAccess, detachPolicy } from './attachments.ts'
import { ofGroup } from './policy-owners.ts'

export const detachGroupPolicy = operation({
  input: iamOperations.DetachGroupPolicy.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ GroupName, PolicyArn }, context) => attachmentAccess(context, ofGroup(GroupName), PolicyArn),
  run: (context, { GroupName, PolicyArn }) => detachPolicy(context, ofGroup(GroupName), PolicyArn),
})
