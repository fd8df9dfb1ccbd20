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
import { nodeArn } from '../iam/arns.ts'
import { AuthenticationGuesses } from '../iam/authentication-guesses.ts'
import type { Identities } from '../iam/identities.ts'
import type { NodeRoles } from '../iam/node-roles.ts'
import type { AnonymousPrincipal, NodeKeyPrincipal, Person, Principal } from '../iam/principal.ts'
import type { OpenedCredentials, SessionCredentials } from '../iam/session-credentials.ts'
import type { Logger } from '../logger.ts'
import type { AccessKey } from '../store/access-keys.ts'
import type { ManagedNode } from '../store/nodes.ts'
import type { Sealing } from '../store/sealing.ts'
import type { Store } from '../store/store.ts'
import type { Scope } from './operation.ts'

/** RSASSA-PSS as the agent uses it (control-plane.md 3.1). */
const PSS_SALT_LENGTH = 32
const NODE_ID = /^m?i-[0-9a-f]{17}$/
/** Signatures of these services may name us-east-1 wherever the server is (control-plane.md 17.1). */
const GLOBAL_SERVICES = new Set(['sts', 'iam'])
const GLOBAL_REGION = 'us-east-1'
/** Compared with when the access key is unknown, so that an answer takes as long as for a known one. */
const NO_SECRET = 'unknown'

const INVALID_TOKEN = 'The security token included in the request is invalid'

export type AuthenticatorOptions = {
  store: Store
  sealing: Sealing
  scope: Scope
  partition: string
  sessionCredentials: SessionCredentials
  identities: Identities
  nodeRoles: Pick<NodeRoles, 'principal'>
  logger: Pick<Logger, 'warn' | 'error'>
  now: () => number
}

/** Who it was that signed is not known until the signature is verified. */
export type SignedRequest = HttpRequest & { remoteAddress: string }

type Candidate =
  | { secretAccessKey: string; longTerm: AccessKey }
  | (OpenedCredentials & { longTerm?: undefined })

/** Finds out who signed a request (control-plane.md 3, 17). */
export class Authenticator {
  readonly #options: AuthenticatorOptions
  readonly #keys = new SigningKeys()
  readonly #guesses: AuthenticationGuesses
  /** Opened as long as the row is known: opening one costs more than verifying a signature. */
  readonly #secrets = new WeakMap<AccessKey, string>()

  constructor(options: AuthenticatorOptions) {
    this.#options = options
    this.#guesses = new AuthenticationGuesses(about =>
      options.logger.warn(about, 'too many wrong signatures: who sends more is not told what is wrong'),
    )
  }

  /**
   * The proven caller; `anonymous` if the request carries no signature at all. Throws the service's own error
   * (control-plane.md 18.2) for every signature that is not good.
   */
  async authenticate(request: SignedRequest, wire: WireProtocol, service: string): Promise<Principal> {
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

  async #accessKey(request: SignedRequest, claim: SignatureClaim): Promise<Principal> {
    const { accessKeyId, sessionToken } = claim
    const found: Candidate | undefined =
      sessionToken === undefined
        ? await this.#longTerm(accessKeyId)
        : this.#options.sessionCredentials.open(sessionToken, accessKeyId)
    const good = verifySignature(nodeCrypto, request, claim, found?.secretAccessKey ?? NO_SECRET, this.#keys)
    if (found === undefined || !good) throw this.#wrong(request, claim, found === undefined)
    // From here on whoever asks has the secret, and may know what is wrong with it.
    return found.longTerm === undefined
      ? await this.#temporary(found, claim)
      : this.#activeUser(found.longTerm, claim)
  }

  #wrong(
    { remoteAddress }: SignedRequest,
    { accessKeyId }: SignatureClaim,
    unknown: boolean,
  ): SignatureError {
    if (this.#guesses.failed(remoteAddress, accessKeyId, this.#options.now())) return tooMany()
    return unknown
      ? new SignatureError('unknown-key', `${INVALID_TOKEN}.`)
      : new SignatureError(
          'wrong-signature',
          'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.',
        )
  }

  async #longTerm(accessKeyId: string): Promise<Candidate | undefined> {
    const longTerm = await this.#options.identities.accessKey(accessKeyId)
    if (longTerm === undefined) return undefined
    const secretAccessKey =
      this.#secrets.get(longTerm) ?? this.#options.sealing.open(longTerm.sealedSecret, accessKeyId)
    this.#secrets.set(longTerm, secretAccessKey)
    return { longTerm, secretAccessKey }
  }

  #activeUser(key: AccessKey, { service, region }: SignatureClaim): Person {
    const { store, scope, identities, now } = this.#options
    const { accessKeyId } = key
    if (key.status !== 'Active') throw gone(`access key ${accessKeyId} was deactivated`)
    this.#note(store.accessKeys.touch(scope, accessKeyId, { now: now(), service, region }))
    return identities.userOf(key)
  }

  async #temporary({ principal, expiresAt }: OpenedCredentials, claim: SignatureClaim): Promise<Principal> {
    const { identities, nodeRoles, now } = this.#options
    if (expiresAt <= now()) {
      throw new SignatureError('expired-token', 'The security token included in the request is expired.')
    }
    if (principal.kind === 'node') {
      const node = await nodeRoles.principal(await this.#registered(principal.nodeId))
      if (node.roleName !== null) this.#noteRole(node.roleName, claim)
      return node
    }
    const standing = await identities.standing(principal)
    if (standing.person === undefined) throw gone(standing.gone)
    const { person } = standing
    if (person.kind === 'user' && claim.service === 'iam') throw gone(NOT_FOR_IAM)
    if (person.kind === 'role') this.#noteRole(person.roleName, claim)
    return person
  }

  #noteRole(roleName: string, { region }: SignatureClaim): void {
    const { store, scope, now } = this.#options
    this.#note(store.roles.touch(scope, roleName, { now: now(), region }))
  }

  /** When something was used last is for people to read: nobody waits for it, or is refused because of it. */
  #note(written: Promise<void>): void {
    written.catch((error: unknown) => {
      this.#options.logger.error({ err: error }, 'the time of the last use was not written')
    })
  }

  /** A node's credentials live for an hour; its deregistration ends them at once (DESIGN 6.6). */
  async #registered(nodeId: string): Promise<ManagedNode> {
    const node = await this.#options.store.nodes.get(this.#options.scope, nodeId)
    if (node === undefined || node.deregisteredAt !== null) throw notRegistered(nodeId)
    return node
  }

  /** A managed node signs with its registered RSA key where others put an HMAC (control-plane.md 3). */
  async #nodeKey(request: SignedRequest, claim: SignatureClaim): Promise<NodeKeyPrincipal> {
    const nodeId = claim.accessKeyId
    const { remoteAddress } = request
    const node = await this.#registered(nodeId)
    const now = this.#options.now()
    if (!this.#guesses.mayBeNode(remoteAddress, nodeId, now)) throw tooMany()
    if (!isSignedBy(node, request, claim)) {
      this.#guesses.nodeFailed(remoteAddress, now)
      throw new SignatureError(
        'access-denied',
        `The request is not signed with the key that ${nodeId} registered.`,
      )
    }
    this.#guesses.nodeProved(remoteAddress, nodeId)
    return { kind: 'node-key', arn: nodeArn(this.#options, nodeId), nodeId }
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

function isSignedBy(node: ManagedNode, request: HttpRequest, claim: SignatureClaim): boolean {
  const spki = Buffer.from(node.publicKey, 'base64')
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  const signature = Buffer.from(claim.signature, 'base64')
  return hostsOf(request).some(host =>
    verify(
      'sha256',
      Buffer.from(stringToSign(nodeCrypto, request, claim, host)),
      { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: PSS_SALT_LENGTH },
      signature,
    ),
  )
}

/** As on AWS, where they could call IAM with MFA only (control-plane.md 28). */
const NOT_FOR_IAM =
  'what GetSessionToken gives cannot call IAM. Sign with the access key itself, or assume a role'

function gone(why: string): SignatureError {
  return new SignatureError('unknown-key', `${INVALID_TOKEN}: ${why}.`)
}

function tooMany(): SignatureError {
  return new SignatureError('throttled', 'Rate exceeded')
}

function notRegistered(nodeId: string): SignatureError {
  return new SignatureError('access-denied', `Node ${nodeId} is not registered here, or was deregistered.`)
}

/** Go drops a default port from the Host header, but the agent has signed it (control-plane.md 3.1). */
function hostsOf(request: HttpRequest): string[] {
  const [host = ''] = headerValues(request, 'host')
  return [host, `${host}:443`, `${host}:80`]
}
