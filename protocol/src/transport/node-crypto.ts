import { createCipheriv, createDecipheriv, createHmac, hash, randomBytes } from 'node:crypto'
import type { Crypto } from '../crypto.ts'
import type { PayloadCipher } from '../encryption.ts'

/** A call to the generator costs the same for a page as for an identifier, and every message has one. */
const RANDOM_PAGE = 4096
let page = Buffer.alloc(0)

function takeRandom(length: number): Uint8Array {
  if (length > RANDOM_PAGE) return randomBytes(length)
  if (page.length < length) page = randomBytes(RANDOM_PAGE)
  const taken = new Uint8Array(page.subarray(0, length))
  // Nobody finds a secret here that was handed out.
  page.fill(0, 0, length)
  page = page.subarray(length)
  return taken
}

export const nodeCrypto: Crypto = {
  // In one call: for small frames the garbage of a Hash object costs as much as the hash.
  sha256: data => hash('sha256', data, 'buffer'),
  hmacSha256: (key, data) => createHmac('sha256', key).update(data).digest(),
  randomBytes: takeRandom,
}

const ALGORITHM = 'aes-256-gcm'
const TAG_SIZE = 16

export const nodePayloadCipher: PayloadCipher = {
  seal(key, nonce, plaintext) {
    const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_SIZE })
    return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  },
  open(key, nonce, sealed) {
    const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_SIZE })
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_SIZE))
    const plaintext = decipher.update(sealed.subarray(0, sealed.length - TAG_SIZE))
    try {
      return Buffer.concat([plaintext, decipher.final()])
    } catch {
      return undefined
    }
  },
}
