import type { Crypto } from '../crypto.ts'
import type { AuthenticationFailure } from './error.ts'
import {
  type CanonicalForm,
  canonicalRequest,
  type HttpRequest,
  headerValues,
  hex,
  SignatureError,
  sha256Hex,
  uriEncode,
} from './sigv4-canonical.ts'
import { ALGORITHM, formatAmzDate, MAX_EXPIRES_SECONDS, type SignatureClaim } from './sigv4-claim.ts'

export { type HttpRequest, SignatureError } from './sigv4-canonical.ts'
export { readSignature, type SignatureClaim } from './sigv4-claim.ts'

export type Credentials = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** The service by its signing name, for example `ssm` or `ec2-instance-connect`. */
export type SigningScope = { readonly region: string; readonly service: string }

type Signable = CanonicalForm & Pick<SignatureClaim, 'amzDate' | 'date' | 'region'>

/** SDKs expect, and correct for, this much (control-plane.md 17.3). */
const MAX_CLOCK_SKEW_MS = 5 * 60_000
const MAX_SIGNING_KEYS = 1000

const encoder = new TextEncoder()

/** The text that is signed. `host` as in `canonicalRequest`; throws SignatureError as it does. */
export function stringToSign(crypto: Crypto, request: HttpRequest, claim: Signable, host?: string): string {
  const scope = credentialScope(claim)
  const digest = sha256Hex(crypto, canonicalRequest(crypto, request, claim, host))
  return `${ALGORITHM}\n${claim.amzDate}\n${scope}\n${digest}`
}

/**
 * Signing keys by secret and scope. Deriving one costs four HMACs, which is most of what a verification costs.
 * Holds at most `limit` keys and drops the one unused for longest.
 */
export class SigningKeys {
  readonly #keys = new Map<string, Uint8Array>()
  readonly #limit: number

  constructor(limit: number = MAX_SIGNING_KEYS) {
    this.#limit = limit
  }

  get size(): number {
    return this.#keys.size
  }

  key(crypto: Crypto, secret: string, date: string, region: string, service: string): Uint8Array {
    const name = `${date}/${region}/${service}/${secret}`
    const key = this.#keys.get(name) ?? signingKey(crypto, secret, date, region, service)
    this.#keys.delete(name)
    this.#keys.set(name, key)
    if (this.#keys.size > this.#limit) {
      const [oldest] = this.#keys.keys()
      if (oldest !== undefined) this.#keys.delete(oldest)
    }
    return key
  }
}

/**
 * Whether the request was signed with this secret, compared in constant time. For an unknown access key id call it
 * with a made-up secret all the same, so that known and unknown ids take equally long. Does not look at the clock.
 */
export function verifySignature(
  crypto: Crypto,
  request: HttpRequest,
  claim: SignatureClaim,
  secretAccessKey: string,
  keys: SigningKeys,
): boolean {
  const key = keys.key(crypto, secretAccessKey, claim.date, claim.region, claim.service)
  try {
    const expected = hex(crypto.hmacSha256(key, encoder.encode(stringToSign(crypto, request, claim))))
    return equalInConstantTime(expected, claim.signature)
  } catch (error) {
    if (error instanceof SignatureError) return false
    throw error
  }
}

/** Whether the claim's time is acceptable at `nowMs`; undefined when it is. */
export function checkClock(claim: SignatureClaim, nowMs: number): AuthenticationFailure | undefined {
  if (nowMs < claim.timestampMs - MAX_CLOCK_SKEW_MS) return 'clock-skew'
  if (claim.form === 'query') {
    return nowMs > claim.timestampMs + (claim.expiresSeconds ?? 0) * 1000 ? 'expired-request' : undefined
  }
  return nowMs > claim.timestampMs + MAX_CLOCK_SKEW_MS ? 'clock-skew' : undefined
}

/**
 * Signs a request in the header form and returns the headers to add. The request must have its `host` header;
 * `host`, `content-type` and every `x-amz-*` header are signed. `nowMs` is the time in milliseconds.
 */
export function signRequest(
  crypto: Crypto,
  request: HttpRequest,
  credentials: Credentials,
  scope: SigningScope,
  nowMs: number,
): Array<[name: string, value: string]> {
  refusePresent(request, ['authorization', 'x-amz-date', 'x-amz-security-token'])
  const amzDate = formatAmzDate(nowMs)
  const added: Array<[string, string]> = [['x-amz-date', amzDate]]
  if (credentials.sessionToken !== undefined) added.push(['x-amz-security-token', credentials.sessionToken])
  // S3 alone insists on the header.
  if (scope.service === 's3' && headerValues(request, 'x-amz-content-sha256').length === 0) {
    added.push(['x-amz-content-sha256', sha256Hex(crypto, request.body)])
  }
  const complete = { ...request, headers: [...request.headers, ...added] }
  const claim = signable('header', complete, scope, amzDate)
  const signature = sign(crypto, complete, claim, credentials.secretAccessKey)
  const credential = `${credentials.accessKeyId}/${credentialScope(claim)}`
  const fields = `Credential=${credential}, SignedHeaders=${claim.signedHeaders.join(';')}, Signature=${signature}`
  return [...added, ['authorization', `${ALGORITHM} ${fields}`]]
}

/**
 * Signs a request in the query form and returns its whole query string. Valid for `expiresSeconds` (1 to 604800).
 * Headers that the request has and that would be signed by `signRequest` must be sent along.
 */
export function presignUrl(
  crypto: Crypto,
  request: HttpRequest,
  credentials: Credentials,
  scope: SigningScope,
  nowMs: number,
  expiresSeconds: number,
): string {
  refusePresent(request, ['authorization', 'x-amz-date', 'x-amz-security-token'])
  if (!Number.isInteger(expiresSeconds) || expiresSeconds < 1 || expiresSeconds > MAX_EXPIRES_SECONDS) {
    throw new Error(
      `expiresSeconds must be a whole number from 1 to ${MAX_EXPIRES_SECONDS}, not ${expiresSeconds}`,
    )
  }
  const claim = signable('query', request, scope, formatAmzDate(nowMs))
  const parameters: Array<[string, string]> = [
    ['X-Amz-Algorithm', ALGORITHM],
    ['X-Amz-Credential', `${credentials.accessKeyId}/${credentialScope(claim)}`],
    ['X-Amz-Date', claim.amzDate],
    ['X-Amz-Expires', String(expiresSeconds)],
    ['X-Amz-SignedHeaders', claim.signedHeaders.join(';')],
  ]
  if (credentials.sessionToken !== undefined)
    parameters.push(['X-Amz-Security-Token', credentials.sessionToken])
  const added = parameters.map(([name, value]) => `${name}=${uriEncode(value)}`).join('&')
  const query = request.query === '' ? added : `${request.query}&${added}`
  const signature = sign(crypto, { ...request, query }, claim, credentials.secretAccessKey)
  return `${query}&X-Amz-Signature=${signature}`
}

function signable(
  form: 'header' | 'query',
  request: HttpRequest,
  scope: SigningScope,
  amzDate: string,
): Signable & { signedHeaders: string[] } {
  const names = new Set(request.headers.map(([name]) => name.toLowerCase()).filter(isSigned))
  if (!names.has('host')) throw new Error("a request needs its 'host' header before it is signed")
  return { form, ...scope, signedHeaders: [...names].sort(), amzDate, date: amzDate.slice(0, 8) }
}

function isSigned(name: string): boolean {
  return name === 'host' || name === 'content-type' || name.startsWith('x-amz-')
}

function refusePresent(request: HttpRequest, names: readonly string[]): void {
  for (const name of names) {
    if (headerValues(request, name).length > 0) throw new Error(`the request to sign already has '${name}'`)
  }
}

function credentialScope(claim: Signable): string {
  return `${claim.date}/${claim.region}/${claim.service}/aws4_request`
}

function sign(crypto: Crypto, request: HttpRequest, claim: Signable, secret: string): string {
  const key = signingKey(crypto, secret, claim.date, claim.region, claim.service)
  return hex(crypto.hmacSha256(key, encoder.encode(stringToSign(crypto, request, claim))))
}

function signingKey(
  crypto: Crypto,
  secret: string,
  date: string,
  region: string,
  service: string,
): Uint8Array {
  let key: Uint8Array = encoder.encode(`AWS4${secret}`)
  for (const part of [date, region, service, 'aws4_request'])
    key = crypto.hmacSha256(key, encoder.encode(part))
  return key
}

function equalInConstantTime(expected: string, actual: string): boolean {
  if (actual.length !== expected.length) return false
  let difference = 0
  for (let i = 0; i < expected.length; i++) difference |= expected.charCodeAt(i) ^ actual.charCodeAt(i)
  return difference === 0
}
