import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { listInlinePolicies } from './inline-policies.ts'
import { ofRole, ownerAccess } from './policy-owners.ts'

/** The names of the role's own policies. */
export const listRolePolicies = operation({
  input: iamOperations.ListRolePolicies.input,
  callers: ['person'],
  access: ({ RoleName }, context) => ownerAccess(context, ofRole(RoleName)),
  run: (context, input) => listInlinePolicies(context, ofRole(input.RoleName), input),
})
