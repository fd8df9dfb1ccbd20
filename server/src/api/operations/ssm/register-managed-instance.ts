import { createPublicKey, randomBytes, timingSafeEqual } from 'node:crypto'
import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { Activation } from '@sallyport/server/store/activations'
import { type OperationContext, operation } from '../../operation.ts'
import { hashActivationCode } from './create-activation.ts'

const ROLE_ID_BYTES = 9
const NODE_ID_DIGITS = 17
const LEAST_KEY_BITS = 2048

/** The one operation without a signature: the activation code is the secret (control-plane.md 2.2). */
export const registerManagedInstance = operation({
  input: ssmOperations.RegisterManagedInstance.input,
  callers: ['anonymous'],
  run: async (context, input) => {
    const { store, scope, now } = context
    checkPublicKey(input.PublicKey)
    const activation = await claimActivation(context, input.ActivationId ?? '', input.ActivationCode ?? '')
    const nodeId = `mi-${randomBytes(NODE_ID_DIGITS).toString('hex').slice(0, NODE_ID_DIGITS)}`
    await store.nodes.insert(scope, {
      nodeId,
      kind: 'managed-instance',
      activationId: activation.activationId,
      iamRole: activation.iamRole,
      roleId: `AROA${randomBytes(ROLE_ID_BYTES).toString('hex').toUpperCase()}`,
      name: activation.defaultInstanceName,
      publicKey: input.PublicKey,
      fingerprint: input.Fingerprint,
      registeredAt: now,
    })
    if (activation.tags.length > 0) await store.tags.add(scope, 'ManagedInstance', nodeId, activation.tags)
    return { InstanceId: nodeId }
  },
})

/** The code is compared before anything is counted, so that guessing uses nothing up. */
async function claimActivation(
  { store, scope, now }: OperationContext,
  id: string,
  code: string,
): Promise<Activation> {
  const activation = await store.activations.get(scope, id)
  const given = Buffer.from(hashActivationCode(code))
  const expected = Buffer.from(activation?.codeHash ?? hashActivationCode(''))
  if (!timingSafeEqual(given, expected) || activation === undefined) {
    throw new AwsError(
      'InvalidActivation',
      'The activation id and code do not belong together, or there is no such activation.',
    )
  }
  const claim = await store.activations.claim(scope, id, now)
  if (claim.claimed) return claim.activation
  switch (claim.reason) {
    case 'expired':
      throw new AwsError('ActivationExpired', `Activation ${id} expired. Create a new one.`)
    case 'limit-reached':
      throw new AwsError(
        'RegistrationLimitExceeded',
        `Activation ${id} has been used for as many nodes as it allows. Create a new one.`,
      )
    case 'unknown':
      throw new AwsError('InvalidActivation', 'The activation was deleted.')
    default:
      return claim.reason satisfies never
  }
}

export function checkPublicKey(publicKey: string): void {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' })
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
    if (key.asymmetricKeyType === 'rsa' && bits >= LEAST_KEY_BITS) return
  } catch {
    // Told with the rest.
  }
  throw new AwsError(
    'InvalidPublicKey',
    `PublicKey must be an RSA key of at least ${LEAST_KEY_BITS} bits, as base64 of its SubjectPublicKeyInfo.`,
  )
}
