import type { LoginProfileOutput } from '@sallyport/protocol/api/iam-users'
import { AwsError } from '@sallyport/protocol/aws/error'
import { passwordProblem } from '@sallyport/server/iam/passwords'
import type { LoginProfileRow } from '@sallyport/server/store/schema'
import type { OperationContext } from '../../operation.ts'
import { noSuchLoginProfile } from './errors.ts'
import { findUser } from './users.ts'

/** Throws `NoSuchEntity` for a user who is not there or has no password. */
export async function findLoginProfile(
  context: OperationContext,
  userName: string,
): Promise<LoginProfileRow> {
  await findUser(context, userName)
  const profile = await context.store.loginProfiles.get(context.scope, userName)
  if (profile === undefined) throw noSuchLoginProfile(userName)
  return profile
}

/** Throws `PasswordPolicyViolation`. */
export function checkPassword(password: string, userName: string): void {
  const problem = passwordProblem(password, userName)
  if (problem !== undefined) throw new AwsError('PasswordPolicyViolation', problem)
}

export function describeLoginProfile(profile: LoginProfileRow): LoginProfileOutput {
  return {
    LoginProfile: {
      UserName: profile.userName,
      CreateDate: new Date(profile.createdAt),
      PasswordResetRequired: profile.passwordResetRequired === 1,
    },
  }
}
