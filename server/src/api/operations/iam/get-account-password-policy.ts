import { iamOperations } from '@sallyport/protocol/api/iam'
import { MINIMUM_PASSWORD_LENGTH } from '@sallyport/server/iam/passwords'
import { operation } from '../../operation.ts'

/** As far as its members can say what iam/passwords.ts enforces: three kinds of characters, whichever they are. */
export const getAccountPasswordPolicy = operation({
  input: iamOperations.GetAccountPasswordPolicy.input,
  callers: ['person'],
  run: async () => ({
    PasswordPolicy: {
      MinimumPasswordLength: MINIMUM_PASSWORD_LENGTH,
      RequireSymbols: false,
      RequireNumbers: false,
      RequireUppercaseCharacters: false,
      RequireLowercaseCharacters: false,
      // Nobody may without a policy that allows iam:ChangePassword.
      AllowUsersToChangePassword: false,
      ExpirePasswords: false,
    },
  }),
})
