import { concatBytes } from './bytes.ts'
import type { Crypto } from './crypto.ts'
import { ProtocolError } from './errors.ts'
import { PayloadType } from './message-types.ts'

// Encryption of payloads in sessions with a KMS key (data-plane.md 13): nonce ‖ ciphertext ‖ tag.
export const DATA_KEY_SIZE = 64
const NONCE_SIZE = 12
const TAG_SIZE = 16

/** AES-256-GCM without additional data; like all cryptography it is the platform's. */
export type PayloadCipher = {
  /** Answers ciphertext ‖ tag. */
  seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array): Uint8Array
  /** Takes ciphertext ‖ tag; undefined if the tag is not right. */
  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): Uint8Array | undefined
}

export type SessionKeys = { agentToClient: Uint8Array; clientToAgent: Uint8Array }

/** The plaintext of the data key holds one key for each direction (data-plane.md 13.1). */
export function splitDataKey(dataKey: Uint8Array): SessionKeys {
  if (dataKey.length !== DATA_KEY_SIZE) {
    throw new ProtocolError(
      'bad-encryption',
      `a session's data key has ${DATA_KEY_SIZE} bytes, this one ${dataKey.length}`,
    )
  }
  const half = DATA_KEY_SIZE / 2
  return { agentToClient: dataKey.slice(0, half), clientToAgent: dataKey.slice(half) }
}

/** A nonce must never be used twice with the same key: see `Nonces`. */
export function encryptPayload(
  cipher: PayloadCipher,
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  return concatBytes([nonce, cipher.seal(key, nonce, plaintext)])
}

/** Throws `ProtocolError` 'bad-encryption' if the payload was not made with this key, or was changed. */
export function decryptPayload(cipher: PayloadCipher, key: Uint8Array, payload: Uint8Array): Uint8Array {
  if (payload.length < NONCE_SIZE + TAG_SIZE) {
    throw new ProtocolError(
      'bad-encryption',
      `an encrypted payload has at least ${NONCE_SIZE + TAG_SIZE} bytes, this one ${payload.length}`,
    )
  }
  const plaintext = cipher.open(key, payload.subarray(0, NONCE_SIZE), payload.subarray(NONCE_SIZE))
  if (plaintext === undefined) throw new ProtocolError('bad-encryption', 'the payload cannot be decrypted')
  return plaintext
}

/** data-plane.md 13.2: sizes, flags and the handshake stay readable; port sessions are never encrypted. */
export function isEncryptedType(sender: 'agent' | 'client', payloadType: number): boolean {
  if (payloadType === PayloadType.output) return true
  return sender === 'agent' && (payloadType === PayloadType.stderr || payloadType === PayloadType.exitCode)
}

/** Nonces that never repeat: a random start, then one more each time, as stock agents do (data-plane.md 13.1). */
export class Nonces {
  readonly #words: Uint32Array

  constructor(crypto: Crypto) {
    const start = crypto.randomBytes(NONCE_SIZE)
    const view = new DataView(start.buffer, start.byteOffset, NONCE_SIZE)
    this.#words = Uint32Array.from([0, 4, 8], offset => view.getUint32(offset, true))
  }

  next(): Uint8Array {
    const nonce = new Uint8Array(NONCE_SIZE)
    const view = new DataView(nonce.buffer)
    this.#words.forEach((word, i) => {
      view.setUint32(4 * i, word, true)
    })
    for (let i = 0; i < this.#words.length; i++) {
      const word = ((this.#words[i] ?? 0) + 1) >>> 0
      this.#words[i] = word
      if (word !== 0) break
    }
    return nonce
  }
}
