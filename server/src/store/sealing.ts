import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createPrivateFile, hasCode, makePrivateDirectory } from './private-file.ts'

/** Encrypts what must not be readable in a stolen copy of the database. */
export type Sealing = {
  /** `context` says where the text belongs, such as an access key id; it opens under the same context only. */
  seal(text: string, context: string): string
  /** Throws SealError when the text was changed, moved to another context, or sealed with another key. */
  open(sealed: string, context: string): string
}

export class SealError extends Error {
  override readonly name = 'SealError'
}

const KEY_LENGTH = 32
// NIST SP 800-38D recommends 96-bit IVs; random ones are safe for 2^32 texts per key (8.3).
const IV_LENGTH = 12
const TAG_LENGTH = 16
const VERSION = 'v1.'

/** AES-256-GCM with the key in `keyFile` (mode 0600), which is made when missing. */
export async function openSealing(keyFile: string): Promise<Sealing> {
  const key = await loadKey(keyFile)
  return {
    seal(text, context) {
      const iv = randomBytes(IV_LENGTH)
      const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_LENGTH })
      cipher.setAAD(Buffer.from(context))
      const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return VERSION + Buffer.concat([iv, cipher.getAuthTag(), ciphertext]).toString('base64url')
    },
    open(sealed, context) {
      const bytes = Buffer.from(sealed.slice(VERSION.length), 'base64url')
      const body = IV_LENGTH + TAG_LENGTH
      if (!sealed.startsWith(VERSION) || bytes.length < body) throw new SealError('this is not a sealed text')
      const iv = bytes.subarray(0, IV_LENGTH)
      const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_LENGTH })
      decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(IV_LENGTH, body))
      try {
        return Buffer.concat([decipher.update(bytes.subarray(body)), decipher.final()]).toString('utf8')
      } catch (error) {
        throw new SealError(
          `the sealed text does not open: it was changed, or ${keyFile} is not the key that it was sealed with`,
          { cause: error },
        )
      }
    },
  }
}

async function loadKey(keyFile: string): Promise<Buffer> {
  const present = await readOptional(keyFile)
  if (present) return checked(present, keyFile)
  await makePrivateDirectory(dirname(keyFile))
  await createPrivateFile(keyFile, randomBytes(KEY_LENGTH))
  // Read back, since another process may have been first.
  return checked(await readFile(keyFile), keyFile)
}

async function readOptional(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function checked(key: Buffer, keyFile: string): Buffer {
  if (key.length === KEY_LENGTH) return key
  throw new SealError(
    `${keyFile} holds ${key.length} bytes instead of ${KEY_LENGTH}; restore it from a backup`,
  )
}
