import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'

// OWASP's Password Storage Cheat Sheet has N = 2^15, r = 8 among its minimum settings with p = 3; 32 MiB a time.
const LOG_N = 15
const BLOCK_SIZE = 8
const PARALLELISM = 3
const SALT_BYTES = 16
const HASH_BYTES = 32
const MAXIMUM_MEMORY = 64 * 1024 * 1024

export const MINIMUM_PASSWORD_LENGTH = 8
/** Of upper case, lower case, digits and symbols, so many kinds, as with AWS's default policy. */
const KINDS_NEEDED = 3
const KINDS = [/[A-Z]/, /[a-z]/, /[0-9]/, /[^A-Za-z0-9]/]

/** Why a password is not good enough; undefined if it is. */
export function passwordProblem(password: string, userName: string): string | undefined {
  if (password.length < MINIMUM_PASSWORD_LENGTH) {
    return `Password should have a minimum length of ${MINIMUM_PASSWORD_LENGTH}`
  }
  if (password.toLowerCase() === userName.toLowerCase()) {
    return 'Password should not be the same as the user name'
  }
  if (KINDS.filter(kind => kind.test(password)).length >= KINDS_NEEDED) return undefined
  return `Password should have at least ${KINDS_NEEDED} of: uppercase letters, lowercase letters, numbers, symbols`
}

/** With a salt of its own and the costs, in the PHC string format. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const hash = await derive(password, salt, { logN: LOG_N, r: BLOCK_SIZE, p: PARALLELISM }, HASH_BYTES)
  const parameters = `ln=${LOG_N},r=${BLOCK_SIZE},p=${PARALLELISM}`
  return `$scrypt$${parameters}$${unpadded(salt)}$${unpadded(hash)}`
}

const HASHED = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

/** False, too, for a hash that is none of ours. */
export async function isPassword(password: string, hashed: string): Promise<boolean> {
  const [, logN, r, p, salt, hash] = HASHED.exec(hashed) ?? []
  if (salt === undefined || hash === undefined) return false
  const expected = Buffer.from(hash, 'base64')
  const costs = { logN: Number(logN), r: Number(r), p: Number(p) }
  return timingSafeEqual(
    await derive(password, Buffer.from(salt, 'base64'), costs, expected.length),
    expected,
  )
}

type Costs = { logN: number; r: number; p: number }

/** On a thread of libuv's pool: it takes a tenth of a second, which sessions must not wait for. */
function derive(password: string, salt: Uint8Array, { logN, r, p }: Costs, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, length, { N: 2 ** logN, r, p, maxmem: MAXIMUM_MEMORY }, (error, key) => {
      if (error === null) resolve(key)
      else reject(error)
    })
  })
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '')
}
