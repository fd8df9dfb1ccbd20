import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { NODE_SERVICES } from '@sallyport/server/iam/service-trust'
import { base32 } from '@sallyport/server/iam/session-credentials'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import { operation } from '../../operation.ts'
import { passRoleCheck } from '../../pass-role.ts'
import { managedRoleName } from './managed-role.ts'
import { mergeTags } from './tags.ts'

const DAY = 86_400_000
const DEFAULT_LIFETIME = DAY
const MAXIMUM_LIFETIME = 30 * DAY
/** 160 bits in 32 characters: nobody guesses an activation code. */
const CODE_BYTES = 20

/** control-plane.md 23 */
export const createActivation = operation({
  input: ssmOperations.CreateActivation.input,
  callers: ['person'],
  access: async (input, context) => ({
    all: [
      { resource: '*', conditions: requestTagConditions(input.Tags) },
      await passRoleCheck(context, input.IamRole, NODE_SERVICES['managed-instance']),
    ],
  }),
  run: async (context, input) => {
    const { store, scope, now } = context
    const expiresAt = input.ExpirationDate ?? now + DEFAULT_LIFETIME
    if (expiresAt <= now || expiresAt > now + MAXIMUM_LIFETIME) {
      throw new AwsError(
        'ValidationException',
        'ExpirationDate must lie in the future, at most 30 days from now.',
      )
    }
    const tags = mergeTags([], input.Tags ?? [])
    const iamRole = await managedRoleName(context, input.IamRole)
    const activationId = randomUUID()
    const code = base32(randomBytes(CODE_BYTES))
    await store.activations.create(scope, {
      activationId,
      codeHash: hashActivationCode(code),
      description: input.Description ?? null,
      defaultInstanceName: input.DefaultInstanceName ?? null,
      iamRole,
      registrationLimit: input.RegistrationLimit ?? 1,
      expiresAt,
      createdAt: now,
      tags,
    })
    return { ActivationId: activationId, ActivationCode: code }
  },
})

export function hashActivationCode(code: string): string {
  return createHash('sha256').update(code).digest('base64url')
}
