import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { deleteInlinePolicy } from './inline-policies.ts'
import { ofUser, ownerAccess } from './policy-owners.ts'

export const deleteUserPolicy = operation({
  input: iamOperations.DeleteUserPolicy.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ UserName }, context) => ownerAccess(context, ofUser(UserName)),
  run: (context, { UserName, PolicyName }) => deleteInlinePolicy(context, ofUser(UserName), PolicyName),
})
