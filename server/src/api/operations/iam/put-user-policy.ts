import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { putPolicy } from './inline-policies.ts'
import { ofUser, ownerAccess } from './policy-owners.ts'

export const putUserPolicy = operation({
  input: iamOperations.PutUserPolicy.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ UserName }, context) => ownerAccess(context, ofUser(UserName)),
  run: (context, input) => putPolicy(context, ofUser(input.UserName), input),
})
