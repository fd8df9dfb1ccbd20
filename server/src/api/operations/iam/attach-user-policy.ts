import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { attachmentAccess, attachPolicy } from './attachments.ts'
import { ofUser } from './policy-owners.ts'

export const attachUserPolicy = operation({
  input: iamOperations.AttachUserPolicy.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ UserName, PolicyArn }, context) => attachmentAccess(context, ofUser(UserName), PolicyArn),
  run: (context, { UserName, PolicyArn }) => attachPolicy(context, ofUser(UserName), PolicyArn),
})
