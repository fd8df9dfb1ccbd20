import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { NodePrincipal } from './principal.ts'

const CIPHER = 'aes-256-gcm'
const NONCE_SIZE = 12
const TAG_SIZE = 16
/** Length of the sealing key, bytes. */
export const SEALING_KEY_SIZE = 32
/** AWS gives a node's credentials one hour (control-plane.md 4.1). */
export const CREDENTIAL_LIFETIME = 3600_000

export type TemporaryCredentials = {
  accessKeyId: string
  secretAccessKey: string
  sessionToken: string
  /** Milliseconds since the epoch. */
  expiresAt: number
}

export type OpenedCredentials = { principal: NodePrincipal; secretAccessKey: string; expiresAt: number }

/**
 * Temporary credentials that no table holds: the session token is the record itself, sealed with a key that only
 * the servers have. So ten thousand nodes that refresh at once cost no write, and any server can check them.
 */
export class SessionCredentials {
  readonly #key: Uint8Array

  constructor(key: Uint8Array) {
    this.#key = key
  }

  issue(principal: NodePrincipal, now: number, lifetime = CREDENTIAL_LIFETIME): TemporaryCredentials {
    const accessKeyId = `ASIA${base32(randomBytes(10))}`
    const secretAccessKey = randomBytes(30).toString('base64')
    const expiresAt = now + lifetime
    const sessionToken = this.#seal(JSON.stringify({ principal, secretAccessKey, expiresAt }), accessKeyId)
    return { accessKeyId, secretAccessKey, sessionToken, expiresAt }
  }

  /** The credentials behind a token, or undefined if it is not ours or belongs to another access key. */
  open(sessionToken: string, accessKeyId: string): OpenedCredentials | undefined {
    const sealed = Buffer.from(sessionToken, 'base64')
    if (sealed.length < NONCE_SIZE + TAG_SIZE) return undefined
    try {
      const decipher = createDecipheriv(CIPHER, this.#key, sealed.subarray(0, NONCE_SIZE))
      decipher.setAAD(Buffer.from(accessKeyId))
      decipher.setAuthTag(sealed.subarray(-TAG_SIZE))
      const text = Buffer.concat([decipher.update(sealed.subarray(NONCE_SIZE, -TAG_SIZE)), decipher.final()])
      return JSON.parse(text.toString()) as OpenedCredentials
    } catch {
      // A wrong tag: the token was made up, altered, or is another key's. All the same to the caller.
      return undefined
    }
  }

  #seal(text: string, accessKeyId: string): string {
    const nonce = randomBytes(NONCE_SIZE)
    const cipher = createCipheriv(CIPHER, this.#key, nonce)
    cipher.setAAD(Buffer.from(accessKeyId))
    return Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]).toString('base64')
  }
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
