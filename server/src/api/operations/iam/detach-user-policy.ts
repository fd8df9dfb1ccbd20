import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { attachmentAccess, detachPolicy } from './attachments.ts'
import { ofUser } from './policy-owners.ts'

export const detachUserPolicy = operation({
  input: iamOperations.DetachUserPolicy.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ UserName, PolicyArn }, context) => attachmentAccess(context, ofUser(UserName), PolicyArn),
  run: (context, { UserName, PolicyArn }) => detachPolicy(context, ofUser(UserName), PolicyArn),
})
