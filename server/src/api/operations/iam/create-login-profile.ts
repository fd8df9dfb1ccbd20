import { iamOperations } from '@sallyport/protocol/api/iam'
import type { LoginProfileOutput } from '@sallyport/protocol/api/iam-users'
import { hashPassword } from '@sallyport/server/iam/passwords'
import { operation } from '../../operation.ts'
import { alreadyExists, noSuchUser } from './errors.ts'
import { checkPassword, describeLoginProfile } from './login-profiles.ts'
import { findUser, userAccess, userOrCaller } from './users.ts'

export const createLoginProfile = operation({
  input: iamOperations.CreateLoginProfile.input,
  callers: ['person'],
  access: (input, context, caller) => userAccess(context, userOrCaller(input.UserName, caller)),
  run: async (context, input, caller): Promise<LoginProfileOutput> => {
    const { store, scope, now } = context
    const { userName } = await findUser(context, userOrCaller(input.UserName, caller))
    checkPassword(input.Password, userName)
    const profile = {
      userName,
      passwordHash: await hashPassword(input.Password),
      passwordResetRequired: input.PasswordResetRequired ? 1 : 0,
      createdAt: now,
    }
    const created = await store.loginProfiles.create(scope, profile)
    if (created === 'no-user') throw noSuchUser(userName)
    if (created === 'taken') throw alreadyExists(`Login Profile for user ${userName} already exists.`)
    return describeLoginProfile({ ...scope, ...profile })
  },
})
