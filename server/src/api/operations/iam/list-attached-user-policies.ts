import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { listAttachedPolicies } from './attachments.ts'
import { ofUser, ownerAccess } from './policy-owners.ts'

export const listAttachedUserPolicies = operation({
  input: iamOperations.ListAttachedUserPolicies.input,
  callers: ['person'],
  access: ({ UserName }, context) => ownerAccess(context, ofUser(UserName)),
  run: (context, input) => listAttachedPolicies(context, ofUser(input.UserName), input),
})
