import { stsOperations } from '@sallyport/protocol/api/sts'
import { operation } from '../../operation.ts'

/** Needs no permission: everybody may know who they are (control-plane.md 28). */
export const getCallerIdentity = operation({
  input: stsOperations.GetCallerIdentity.input,
  callers: ['user', 'node'],
  run: async ({ scope }, _input, { arn, userId }) => ({ Arn: arn, UserId: userId, Account: scope.accountId }),
})
