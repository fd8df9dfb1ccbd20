import { iamOperations } from '@sallyport/protocol/api/iam'
import type { LoginProfileOutput } from '@sallyport/protocol/api/iam-users'
import { operation } from '../../operation.ts'
import { describeLoginProfile, findLoginProfile } from './login-profiles.ts'
import { userAccess, userOrCaller } from './users.ts'

export const getLoginProfile = operation({
  input: iamOperations.GetLoginProfile.input,
  callers: ['person'],
  access: (input, context, caller) => userAccess(context, userOrCaller(input.UserName, caller)),
  run: async (context, input, caller): Promise<LoginProfileOutput> =>
    describeLoginProfile(await findLoginProfile(context, userOrCaller(input.UserName, caller))),
})
