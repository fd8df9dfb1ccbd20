import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { attachmentAccess, attachPolicy } from './attachments.ts'
import { ofRole } from './policy-owners.ts'

export const attachRolePolicy = operation({
  input: iamOperations.AttachRolePolicy.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ RoleName, PolicyArn }, context) => attachmentAccess(context, ofRole(RoleName), PolicyArn),
  run: (context, { RoleName, PolicyArn }) => attachPolicy(context, ofRole(RoleName), PolicyArn),
})
