import { constants, createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { type Credentials, type HttpRequest, stringToSign } from '@sallyport/protocol/aws/sigv4'
import { ALGORITHM, formatAmzDate } from '@sallyport/protocol/aws/sigv4-claim'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import type { Requester } from '@sallyport/protocol/transport/node-http'
import { ApiFailure, ROLE_TOKEN } from './api-failure.ts'
import type { Registration } from './state.ts'

const SALT_LENGTH = 32
const TIMEOUT = 15_000
/** Proxies on the way often give an answer a minute. */
const WAIT_SECONDS = 45
const SIGNED_HEADERS = ['content-type', 'host', 'x-amz-date', 'x-amz-target']

type Held = Credentials & { refreshAt: number; expiresAt: number; lack: Lack | undefined }

/** Why the node may not be online, and which actions its role does not allow, if it has one. */
export type Lack = { why: string; actions: readonly string[] }

/**
 * The credentials of the node's role, asked for with the node's own key (control-plane.md 3, 4) and renewed at
 * half of their life. While the server cannot be reached the old ones go on until they expire.
 */
export class RoleCredentials {
  readonly #registration: Registration
  readonly #request: Requester
  readonly #key: KeyObject
  #held: Held | undefined
  #asking: Promise<Held> | undefined

  constructor(registration: Registration, request: Requester) {
    this.#registration = registration
    this.#request = request
    this.#key = createPrivateKey(registration.privateKey)
  }

  /** Current credentials. Rejects with `ApiFailure` if the server refuses, or with the network's error. */
  async get(): Promise<Credentials> {
    const held = this.#held
    if (held !== undefined && Date.now() < held.refreshAt) return held
    try {
      this.#asking ??= this.#ask()
      this.#held = await this.#asking
      return this.#held
    } catch (error) {
      if (held !== undefined && Date.now() < held.expiresAt && !(error instanceof ApiFailure)) return held
      throw error
    } finally {
      this.#asking = undefined
    }
  }

  /** The server does not accept what we hold; ask for new ones next time. */
  forget(): void {
    this.#held = undefined
  }

  /**
   * Waits until the role allows the node to be online, some time at most. Answers why it still does not; undefined if
   * it does. Rejects as `get` does.
   */
  async waitUntilAble(): Promise<Lack | undefined> {
    return await this.lack(WAIT_SECONDS)
  }

  /** What the node lacks at this moment to be online. Rejects as `get` does. */
  async lack(waitSeconds?: number): Promise<Lack | undefined> {
    this.#held = await this.#ask(waitSeconds)
    return this.#held.lack
  }

  async #ask(waitSeconds?: number): Promise<Held> {
    const now = Date.now()
    const input = { Fingerprint: this.#registration.fingerprint, WaitUntilAble: waitSeconds }
    const body = Buffer.from(JSON.stringify(input))
    const headers: Array<[string, string]> = [
      ['host', new URL(this.#registration.endpoint).host],
      ['content-type', 'application/x-amz-json-1.1'],
      ['x-amz-target', `AmazonSSM.${ROLE_TOKEN}`],
      ['x-amz-date', formatAmzDate(now)],
    ]
    const request: HttpRequest = { method: 'POST', path: '/', query: '', headers, body }
    const answer = await this.#request({
      headers: [...headers, ['authorization', this.#authorization(request, now)]],
      body,
      timeoutMs: TIMEOUT + (waitSeconds ?? 0) * 1000,
    })
    if (answer.status !== 200) throw ApiFailure.of(ROLE_TOKEN, answer)
    const token = JSON.parse(answer.body) as {
      AccessKeyId: string
      SecretAccessKey: string
      SessionToken: string
      TokenExpirationDate: number
      Lacking?: string
      LackingActions?: string[]
    }
    const expiresAt = token.TokenExpirationDate * 1000
    return {
      accessKeyId: token.AccessKeyId,
      secretAccessKey: token.SecretAccessKey,
      sessionToken: token.SessionToken,
      refreshAt: now + (expiresAt - now) / 2,
      expiresAt,
      lack:
        token.Lacking === undefined ? undefined : { why: token.Lacking, actions: token.LackingActions ?? [] },
    }
  }

  /** Looks like SigV4, but the signature is RSASSA-PSS over the string to sign, in base64 (control-plane.md 3.1). */
  #authorization(request: HttpRequest, now: number): string {
    const { instanceId, region } = this.#registration
    const amzDate = formatAmzDate(now)
    const claim = {
      form: 'header',
      signedHeaders: SIGNED_HEADERS,
      service: 'ssm',
      region,
      amzDate,
      date: amzDate.slice(0, 8),
    } as const
    const signature = sign('sha256', Buffer.from(stringToSign(nodeCrypto, request, claim)), {
      key: this.#key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: SALT_LENGTH,
    })
    const credential = `${instanceId}/${claim.date}/${region}/ssm/aws4_request`
    return `${ALGORITHM} Credential=${credential}, SignedHeaders=${SIGNED_HEADERS.join(';')}, Signature=${signature.toString('base64')}`
  }
}
