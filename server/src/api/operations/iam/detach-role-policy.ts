import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { attachmentAccess, detachPolicy } from './attachments.ts'
import { ofRole } from './policy-owners.ts'

export const detachRolePolicy = operation({
  input: iamOperations.DetachRolePolicy.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ RoleName, PolicyArn }, context) => attachmentAccess(context, ofRole(RoleName), PolicyArn),
  run: (context, { RoleName, PolicyArn }) => detachPolicy(context, ofRole(RoleName), PolicyArn),
})
