import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import type { Crypto } from '../crypto.ts'
import type { PayloadCipher } from '../encryption.ts'

export const nodeCrypto: Crypto = {
  sha256: data => createHash('sha256').update(data).digest(),
  hmacSha256: (key, data) => createHmac('sha256', key).update(data).digest(),
  randomBytes: length => randomBytes(length),
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
