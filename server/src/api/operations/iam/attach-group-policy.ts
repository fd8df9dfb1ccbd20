import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { attachmentAccess, attachPolicy } from './attachments.ts'
import { ofGroup } from './policy-owners.ts'

export const attachGroupPolicy = operation({
  input: iamOperations.AttachGroupPolicy.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ GroupName, PolicyArn }, context) => attachmentAccess(context, ofGroup(GroupName), PolicyArn),
  run: (context, { GroupName, PolicyArn }) => attachPolicy(context, ofGroup(GroupName), PolicyArn),
})
