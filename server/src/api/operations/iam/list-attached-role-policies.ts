import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { listAttachedPolicies } from './attachments.ts'
import { ofRole, ownerAccess } from './policy-owners.ts'

export const listAttachedRolePolicies = operation({
  input: iamOperations.ListAttachedRolePolicies.input,
  callers: ['person'],
  access: ({ RoleName }, context) => ownerAccess(context, ofRole(RoleName)),
  run: (context, input) => listAttachedPolicies(context, ofRole(input.RoleName), input),
})
