import { iamOperations } from '@sallyport/protocol/api/iam'
import { AwsError } from '@sallyport/protocol/aws/error'
import { hashPassword, isPassword } from '@sallyport/server/iam/passwords'
import type { Person } from '@sallyport/server/iam/principal'
import { operation } from '../../operation.ts'
import { checkPassword, findLoginProfile } from './login-profiles.ts'
import { userAccess } from './users.ts'

/** One's own. */
export const changePassword = operation({
  input: iamOperations.ChangePassword.input,
  callers: ['person'],
  access: (_input, context, caller) => userAccess(context, callingUser(caller)),
  run: async (context, { OldPassword, NewPassword }, caller) => {
    const { store, scope } = context
    const userName = callingUser(caller)
    const { passwordHash: old } = await findLoginProfile(context, userName)
    if (!(await isPassword(OldPassword, old))) throw wrongPassword()
    checkPassword(NewPassword, userName)
    const change = { passwordHash: await hashPassword(NewPassword), passwordResetRequired: 0 }
    // Of two who change it at once, the second no longer knows the old one.
    if (!(await store.loginProfiles.update(scope, userName, change, old))) throw wrongPassword()
    return {}
  },
})

function callingUser(caller: Person): string {
  if (caller.kind === 'user') return caller.userName
  throw new AwsError('InvalidUserType', 'Only IAM Users can change their own password')
}

function wrongPassword(): AwsError {
  return new AwsError('AccessDenied', 'The old password was incorrect.', { status: 403 })
}
