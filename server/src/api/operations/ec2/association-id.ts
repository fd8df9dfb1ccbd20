import { randomBytes } from 'node:crypto'

const DIGITS = 17

export function newAssociationId(): string {
  return `iip-assoc-${randomBytes(DIGITS).toString('hex').slice(0, DIGITS)}`
}
