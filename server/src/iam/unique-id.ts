import { randomBytes } from 'node:crypto'
import { base32 } from './session-credentials.ts'

const ID_BYTES = 10
const SECRET_BYTES = 30

/** What AWS's ids of each kind begin with (IAM User Guide, "IAM identifiers"). */
export type IdPrefix = 'AIDA' | 'AGPA' | 'AROA' | 'ANPA' | 'AIPA' | 'AKIA'

/** An id that nothing else ever had or will have. */
export function uniqueId(prefix: IdPrefix): string {
  return `${prefix}${base32(randomBytes(ID_BYTES))}`
}

/** A secret access key, 40 characters as with AWS. */
export function newSecretAccessKey(): string {
  return randomBytes(SECRET_BYTES).toString('base64')
}
