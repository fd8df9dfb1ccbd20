import { iamOperations } from '@sallyport/protocol/api/iam'
import { hashPassword } from '@sallyport/server/iam/passwords'
import { operation } from '../../operation.ts'
import { noSuchLoginProfile } from './errors.ts'
import { checkPassword, findLoginProfile } from './login-profiles.ts'
import { userAccess } from './users.ts'

/** An administrator's way to another password: it does not take the old one. */
export const updateLoginProfile = operation({
  input: iamOperations.UpdateLoginProfile.input,
  callers: ['person'],
  access: (input, context) => userAccess(context, input.UserName),
  run: async (context, { UserName, Password, PasswordResetRequired }) => {
    await findLoginProfile(context, UserName)
    if (Password !== undefined) checkPassword(Password, UserName)
    const change = {
      ...(Password !== undefined && { passwordHash: await hashPassword(Password) }),
      ...(PasswordResetRequired !== undefined && { passwordResetRequired: PasswordResetRequired ? 1 : 0 }),
    }
    const found = await context.store.loginProfiles.update(context.scope, UserName, change)
    if (!found) throw noSuchLoginProfile(UserName)
    return {}
  },
})
