import { type GetCallerIdentityOutput, stsOperations } from '@sallyport/protocol/api/sts'
import { operation } from '../../operation.ts'
import { NO_PERMISSION } from './permissions.ts'

/** Everybody may know who they are (control-plane.md 28). */
export const getCallerIdentity = operation({
  input: stsOperations.GetCallerIdentity.input,
  callers: ['person', 'node'],
  access: () => NO_PERMISSION,
  run: async ({ scope }, _input, { arn, userId }): Promise<GetCallerIdentityOutput> => ({
    Arn: arn,
    UserId: userId,
    Account: scope.accountId,
  }),
})
