import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { putPolicy } from './inline-policies.ts'
import { ofRole, ownerAccess } from './policy-owners.ts'

export const putRolePolicy = operation({
  input: iamOperations.PutRolePolicy.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ RoleName }, context) => ownerAccess(context, ofRole(RoleName)),
  run: (context, input) => putPolicy(context, ofRole(input.RoleName), input),
})
