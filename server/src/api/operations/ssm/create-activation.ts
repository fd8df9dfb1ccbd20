import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { base32 } from '@sallyport/server/iam/session-credentials'
import { operation } from '../../operation.ts'
import { mergeTags } from './tags.ts'

const DAY = 86_400_000
const DEFAULT_LIFETIME = DAY
const MAXIMUM_LIFETIME = 30 * DAY
/** 160 bits in 32 characters: nobody guesses an activation code. */
const CODE_BYTES = 20

/** control-plane.md 23 */
export const createActivation = operation({
  input: ssmOperations.CreateActivation.input,
  callers: ['user'],
  run: async ({ store, scope, now }, input) => {
    const expiresAt = input.ExpirationDate ?? now + DEFAULT_LIFETIME
    if (expiresAt <= now || expiresAt > now + MAXIMUM_LIFETIME) {
      throw new AwsError(
        'ValidationException',
        'ExpirationDate must lie in the future, at most 30 days from now.',
      )
    }
    const activationId = randomUUID()
    const code = base32(randomBytes(CODE_BYTES))
    await store.activations.create(scope, {
      activationId,
      codeHash: hashActivationCode(code),
      description: input.Description ?? null,
      defaultInstanceName: input.DefaultInstanceName ?? null,
      iamRole: input.IamRole.split('/').at(-1) ?? input.IamRole,
      registrationLimit: input.RegistrationLimit ?? 1,
      expiresAt,
      createdAt: now,
      tags: mergeTags([], input.Tags ?? []),
    })
    return { ActivationId: activationId, ActivationCode: code }
  },
})

export function hashActivationCode(code: string): string {
  return createHash('sha256').update(code).digest('base64url')
}
