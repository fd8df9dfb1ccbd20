import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { listInlinePolicies } from './inline-policies.ts'
import { ofUser, ownerAccess } from './policy-owners.ts'

/** The names of the user's own policies. */
export const listUserPolicies = operation({
  input: iamOperations.ListUserPolicies.input,
  callers: ['person'],
  access: ({ UserName }, context) => ownerAccess(context, ofUser(UserName)),
  run: (context, input) => listInlinePolicies(context, ofUser(input.UserName), input),
})
