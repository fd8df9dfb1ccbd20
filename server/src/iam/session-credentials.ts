import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { NodePrincipal, RolePrincipal, UserPrincipal } from './principal.ts'

const CIPHER = 'aes-256-gcm'
const NONCE_SIZE = 12
const TAG_SIZE = 16
/** Length of the sealing key, bytes. */
export const SEALING_KEY_SIZE = 32
/** AWS gives a node's credentials one hour (control-plane.md 4.1). */
export const CREDENTIAL_LIFETIME = 3600_000
/** Characters. A request's headers, or the URL that a token is signed into, have 16 KiB in all (Node's maxHeaderSize). */
export const MAXIMUM_TOKEN = 8_192

export type TemporaryCredentials = {
  accessKeyId: string
  secretAccessKey: string
  sessionToken: string
  /** Milliseconds since the epoch. */
  expiresAt: number
}

/** Who can have temporary credentials; `temporary` is made with them. */
export type SealedPrincipal =
  | Omit<UserPrincipal, 'temporary'>
  | Omit<RolePrincipal, 'temporary'>
  | NodePrincipal

/** The principal as it was when they were issued: what it may, and whether it is still there, is another question. */
export type OpenedCredentials = {
  principal: UserPrincipal | RolePrincipal | NodePrincipal
  secretAccessKey: string
  expiresAt: number
}

type Sealed = { principal: SealedPrincipal; secretAccessKey: string; issuedAt: number; expiresAt: number }

/** What is to be remembered of a session is more than a token holds. */
export class TokenTooLong extends Error {
  override readonly name = 'TokenTooLong'
  /** Of MAXIMUM_TOKEN. */
  readonly percent: number

  constructor(percent: number) {
    super(`the session token would take ${percent}% of the ${MAXIMUM_TOKEN} characters that there are`)
    this.percent = percent
  }
}

/**
 * Temporary credentials that no table holds: the session token is the record itself, sealed with a key that only
 * the servers have. So ten thousand nodes that refresh at once cost no write, and any server can check them.
 */
export class SessionCredentials {
  readonly #key: Uint8Array

  constructor(key: Uint8Array) {
    this.#key = key
  }

  /** Throws TokenTooLong. */
  issue(principal: SealedPrincipal, now: number, lifetime = CREDENTIAL_LIFETIME): TemporaryCredentials {
    const accessKeyId = `ASIA${base32(randomBytes(10))}`
    const secretAccessKey = randomBytes(30).toString('base64')
    const expiresAt = now + lifetime
    const sealed: Sealed = { principal, secretAccessKey, issuedAt: now, expiresAt }
    const sessionToken = this.#seal(JSON.stringify(sealed), accessKeyId)
    const percent = packedPercent(sessionToken)
    if (percent > 100) throw new TokenTooLong(percent)
    return { accessKeyId, secretAccessKey, sessionToken, expiresAt }
  }

  /** The credentials behind a token, or undefined if it is not ours or belongs to another access key. */
  open(sessionToken: string, accessKeyId: string): OpenedCredentials | undefined {
    if (sessionToken.length > MAXIMUM_TOKEN) return undefined
    const sealed = Buffer.from(sessionToken, 'base64')
    if (sealed.length < NONCE_SIZE + TAG_SIZE) return undefined
    try {
      const nonce = sealed.subarray(0, NONCE_SIZE)
      const decipher = createDecipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_SIZE })
      decipher.setAAD(Buffer.from(accessKeyId))
      decipher.setAuthTag(sealed.subarray(-TAG_SIZE))
      const text = Buffer.concat([decipher.update(sealed.subarray(NONCE_SIZE, -TAG_SIZE)), decipher.final()])
      return opened(JSON.parse(text.toString()) as Sealed, accessKeyId)
    } catch {
      // A wrong tag: the token was made up, altered, or is another key's. All the same to the caller.
      return undefined
    }
  }

  #seal(text: string, accessKeyId: string): string {
    const nonce = randomBytes(NONCE_SIZE)
    const cipher = createCipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_SIZE })
    cipher.setAAD(Buffer.from(accessKeyId))
    return Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]).toString('base64')
  }
}

function opened(
  { principal, secretAccessKey, issuedAt, expiresAt }: Sealed,
  accessKeyId: string,
): OpenedCredentials {
  if (principal.kind === 'node') return { principal, secretAccessKey, expiresAt }
  const temporary = { accessKeyId, issuedAt, expiresAt }
  return { principal: { ...principal, temporary }, secretAccessKey, expiresAt }
}

/** How much of the longest token a token is: STS's PackedPolicySize. */
export function packedPercent(sessionToken: string): number {
  return Math.ceil((sessionToken.length * 100) / MAXIMUM_TOKEN)
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** RFC 4648 6, whole groups of 5 bytes only: how AWS's key ids and unique ids look. */
export function base32(bytes: Uint8Array): string {
  let bits = 0n
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte)
  let text = ''
  for (let shift = BigInt(bytes.length * 8 - 5); shift >= 0n; shift -= 5n)
    text += BASE32[Number((bits >> shift) & 31n)]
  return text
}
