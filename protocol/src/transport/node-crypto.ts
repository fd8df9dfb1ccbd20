import { createHash, createHmac, randomBytes } from 'node:crypto'
import type { Crypto } from '../crypto.ts'

export const nodeCrypto: Crypto = {
  sha256: data => createHash('sha256').update(data).digest(),
  hmacSha256: (key, data) => createHmac('sha256', key).update(data).digest(),
  randomBytes: length => randomBytes(length),
}
