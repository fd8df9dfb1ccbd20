import { createPublicKey, randomBytes, timingSafeEqual } from 'node:crypto'
import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { Activation, Claim } from '@sallyport/server/store/activations'
import { kindOfNode } from '@sallyport/server/store/node-filters'
import type { NewNode } from '@sallyport/server/store/nodes'
import { type OperationContext, operation } from '../../operation.ts'
import { hashActivationCode } from './create-activation.ts'

const NODE_ID_DIGITS = 17
const LEAST_KEY_BITS = 2048

/** The one operation without a signature: the activation code is the secret (control-plane.md 2.2). */
export const registerManagedInstance = operation({
  input: ssmOperations.RegisterManagedInstance.input,
  callers: ['anonymous'],
  run: async (context, input) => {
    checkPublicKey(input.PublicKey)
    const { store, scope, now } = context
    const activationId = input.ActivationId ?? ''
    await checkCode(context, activationId, input.ActivationCode ?? '')
    const digits = randomBytes(NODE_ID_DIGITS).toString('hex').slice(0, NODE_ID_DIGITS)
    const nodeId = `${input.AsInstance === true ? 'i' : 'mi'}-${digits}`
    const claim = await store.activations.register(scope, activationId, now, activation =>
      newNode(nodeId, activation, input, now),
    )
    if (!claim.claimed) throw refusal(claim.reason, activationId)
    return { InstanceId: nodeId }
  },
})

type Machine = { PublicKey: string; Fingerprint: string }

function newNode(nodeId: string, activation: Activation, machine: Machine, now: number): NewNode {
  const kind = kindOfNode(nodeId)
  return {
    nodeId,
    kind,
    activationId: activation.activationId,
    // An instance has its role by an instance profile, which it does not have yet.
    iamRole: kind === 'instance' ? null : activation.iamRole,
    name: activation.defaultInstanceName,
    publicKey: machine.PublicKey,
    fingerprint: machine.Fingerprint,
    registeredAt: now,
  }
}

/** Before anything is counted, so that guessing uses nothing up; and only so often. */
async function checkCode(
  { store, scope, now, remoteAddress, activationGuesses }: OperationContext,
  id: string,
  code: string,
): Promise<void> {
  const activation = await store.activations.get(scope, id)
  // From here on nothing waits: guesses that come at the same time are counted one by one.
  const wait = activationGuesses.wait(remoteAddress, id, now)
  if (wait > 0) {
    throw new AwsError(
      'ThrottlingException',
      `Too many wrong activation codes came from ${remoteAddress}, or for this activation. Try again in ${Math.ceil(wait / 1000)} s.`,
    )
  }
  const given = Buffer.from(hashActivationCode(code))
  const expected = Buffer.from(activation?.codeHash ?? hashActivationCode(''))
  if (timingSafeEqual(given, expected) && activation !== undefined) return
  activationGuesses.failed(remoteAddress, id, now)
  throw new AwsError(
    'InvalidActivation',
    'The activation id and code do not belong together, or there is no such activation.',
  )
}

type Refused = Extract<Claim, { claimed: false }>['reason']

function refusal(reason: Refused, id: string): AwsError {
  switch (reason) {
    case 'expired':
      return new AwsError('ActivationExpired', `Activation ${id} expired. Create a new one.`)
    case 'limit-reached':
      return new AwsError(
        'RegistrationLimitExceeded',
        `Activation ${id} has been used for as many nodes as it allows. Create a new one.`,
      )
    case 'unknown':
      return new AwsError('InvalidActivation', 'The activation was deleted.')
    default:
      return reason satisfies never
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
