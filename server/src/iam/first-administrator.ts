import { randomBytes } from 'node:crypto'
import { principalsIn } from '../store/principals.ts'
import type { Scope } from '../store/schema.ts'
import type { Sealing } from '../store/sealing.ts'
import type { Store } from '../store/store.ts'
import { base32 } from './session-credentials.ts'

export type FirstAdministrator = { userName: string; accessKeyId: string; secretAccessKey: string }

const USER_NAME = 'admin'
const ID_BYTES = 10
const SECRET_BYTES = 30

/** On a store without users: one, with a key that is shown once. Undefined if there is somebody already. */
export async function createFirstAdministrator(
  store: Store,
  sealing: Sealing,
  scope: Scope,
  now: number,
): Promise<FirstAdministrator | undefined> {
  if ((await store.principals.countUsers(scope)) > 0) return undefined
  const userId = `AIDA${base32(randomBytes(ID_BYTES))}`
  const accessKeyId = `AKIA${base32(randomBytes(ID_BYTES))}`
  const secretAccessKey = randomBytes(SECRET_BYTES).toString('base64')
  const sealedSecret = sealing.seal(secretAccessKey, accessKeyId)
  // Both or neither: a user without a key would keep everybody out for good.
  await store.db.transaction().execute(async transaction => {
    const principals = principalsIn(transaction)
    await principals.createUser(scope, { userName: USER_NAME, userId, path: '/', createdAt: now })
    await principals.createAccessKey(scope, {
      accessKeyId,
      userName: USER_NAME,
      sealedSecret,
      createdAt: now,
    })
  })
  return { userName: USER_NAME, accessKeyId, secretAccessKey }
}
