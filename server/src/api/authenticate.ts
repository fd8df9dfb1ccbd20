import { constants, createPublicKey, verify } from 'node:crypto'
import { authenticationError, type WireProtocol } from '@sallyport/protocol/aws/error'
import {
  checkClock,
  type HttpRequest,
  readSignature,
  type SignatureClaim,
  SignatureError,
  SigningKeys,
  stringToSign,
  verifySignature,
} from '@sallyport/protocol/aws/sigv4'
import { headerValues } from '@sallyport/protocol/aws/sigv4-canonical'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import type { AnonymousPrincipal, NodeKeyPrincipal, Principal } from '../iam/principal.ts'
import type { SessionCredentials } from '../iam/session-credentials.ts'
import type { Sealing } from '../store/sealing.ts'
import type { Store } from '../store/store.ts'
import type { Scope } from './operation.ts'

/** RSASSA-PSS as the agent uses it (control-plane.md 3.1). */
const PSS_SALT_LENGTH = 32
const NODE_ID = /^mi-[0-9a-f]{17}$/
/** Signatures of these services may name us-east-1 wherever the server is (control-plane.md 17.1). */
const GLOBAL_SERVICES = new Set(['sts', 'iam'])
const GLOBAL_REGION = 'us-east-1'
/** Compared with when the access key is unknown, so that an answer takes as long as for a known one. */
const NO_SECRET = 'unknown'

export type AuthenticatorOptions = {
  store: Store
  sealing: Sealing
  scope: Scope
  partition: string
  sessionCredentials: SessionCredentials
  now: () => number
}

/** Finds out who signed a request (control-plane.md 3, 17). */
export class Authenticator {
  readonly #options: AuthenticatorOptions
  readonly #keys = new SigningKeys()

  constructor(options: AuthenticatorOptions) {
    this.#options = options
  }

  /**
   * The proven caller; `anonymous` if the request carries no signature at all. Throws the service's own error
   * (control-plane.md 18.2) for every signature that is not good.
   */
  async authenticate(request: HttpRequest, wire: WireProtocol, service: string): Promise<Principal> {
    try {
      const claim = readSignature(request)
      this.#checkScope(claim, service)
      const late = checkClock(claim, this.#options.now())
      if (late !== undefined) throw new SignatureError(late, this.#clockMessage(claim))
      return NODE_ID.test(claim.accessKeyId)
        ? await this.#nodeKey(request, claim)
        : await this.#accessKey(request, claim)
    } catch (error) {
      if (!(error instanceof SignatureError)) throw error
      if (error.failure === 'missing') return { kind: 'anonymous' } satisfies AnonymousPrincipal
      throw authenticationError(error.failure, wire, error.message)
    }
  }

  async #accessKey(request: HttpRequest, claim: SignatureClaim): Promise<Principal> {
    const { accessKeyId, sessionToken } = claim
    const found =
      sessionToken === undefined
        ? await this.#longTerm(accessKeyId)
        : this.#temporary(accessKeyId, sessionToken)
    const good = verifySignature(nodeCrypto, request, claim, found?.secretAccessKey ?? NO_SECRET, this.#keys)
    if (found === undefined)
      throw new SignatureError('unknown-key', 'The security token included in the request is invalid.')
    if (!good) {
      throw new SignatureError(
        'wrong-signature',
        'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.',
      )
    }
    if (found.expiresAt !== undefined && found.expiresAt <= this.#options.now()) {
      throw new SignatureError('expired-token', 'The security token included in the request is expired.')
    }
    if (found.principal.kind === 'node') await this.#checkRegistered(found.principal.nodeId)
    return found.principal
  }

  /** A node's credentials live for an hour; its deregistration ends them at once (DESIGN 6.6). */
  async #checkRegistered(nodeId: string): Promise<void> {
    const node = await this.#options.store.nodes.get(this.#options.scope, nodeId)
    if (node === undefined || node.deregisteredAt !== null) throw notRegistered(nodeId)
  }

  async #longTerm(accessKeyId: string) {
    const { store, scope, partition, sealing } = this.#options
    const key = await store.principals.findAccessKey(accessKeyId)
    if (key === undefined || key.status !== 'Active' || key.accountId !== scope.accountId) return undefined
    const { userName, userId, path } = key.user
    const arn = `arn:${partition}:iam::${scope.accountId}:user${path}${userName}`
    const principal: Principal = { kind: 'user', arn, userId, userName }
    return { principal, secretAccessKey: sealing.open(key.sealedSecret, accessKeyId), expiresAt: undefined }
  }

  #temporary(accessKeyId: string, sessionToken: string) {
    return this.#options.sessionCredentials.open(sessionToken, accessKeyId)
  }

  /** A managed node signs with its registered RSA key where others put an HMAC (control-plane.md 3). */
  async #nodeKey(request: HttpRequest, claim: SignatureClaim): Promise<NodeKeyPrincipal> {
    const { store, scope, partition } = this.#options
    const nodeId = claim.accessKeyId
    const node = await store.nodes.get(scope, nodeId)
    if (node === undefined || node.deregisteredAt !== null) {
      throw notRegistered(nodeId)
    }
    const key = createPublicKey({ key: Buffer.from(node.publicKey, 'base64'), format: 'der', type: 'spki' })
    const signature = Buffer.from(claim.signature, 'base64')
    const matches = hostsOf(request).some(host =>
      verify(
        'sha256',
        Buffer.from(stringToSign(nodeCrypto, request, claim, host)),
        { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: PSS_SALT_LENGTH },
        signature,
      ),
    )
    if (!matches)
      throw new SignatureError(
        'access-denied',
        `The request is not signed with the key that ${nodeId} registered.`,
      )
    return {
      kind: 'node-key',
      arn: `arn:${partition}:ssm:${scope.region}:${scope.accountId}:managed-instance/${nodeId}`,
      nodeId,
    }
  }

  #checkScope(claim: SignatureClaim, service: string): void {
    const { region } = this.#options.scope
    if (claim.service !== service) {
      throw new SignatureError(
        'wrong-signature',
        `Credential should be scoped to correct service: '${service}'.`,
      )
    }
    if (claim.region === region || (GLOBAL_SERVICES.has(service) && claim.region === GLOBAL_REGION)) return
    throw new SignatureError(
      'wrong-signature',
      `Credential should be scoped to a valid region, not '${claim.region}'. This server's region is '${region}' (--region ${region}, or AWS_REGION=${region}).`,
    )
  }

  #clockMessage(claim: SignatureClaim): string {
    const now = new Date(this.#options.now()).toISOString().replace(/[-:]|\.\d+/g, '')
    const late = claim.timestampMs < this.#options.now()
    return late
      ? `Signature expired: ${claim.amzDate} is now earlier than the server's time ${now} allows. Check the clock of this machine.`
      : `Signature not yet current: ${claim.amzDate} is still later than the server's time ${now}. Check the clock of this machine.`
  }
}

function notRegistered(nodeId: string): SignatureError {
  return new SignatureError('access-denied', `Node ${nodeId} is not registered here, or was deregistered.`)
}

/** Go drops a default port from the Host header, but the agent has signed it (control-plane.md 3.1). */
function hostsOf(request: HttpRequest): string[] {
  const [host = ''] = headerValues(request, 'host')
  return [host, `${host}:443`, `${host}:80`]
}
