import type { Transaction } from 'kysely'
import { accessKeysIn } from '../store/access-keys.ts'
import { inTransaction } from '../store/in-transaction.ts'
import { milestonesIn } from '../store/milestones.ts'
import { ownerPoliciesIn } from '../store/owner-policies.ts'
import type { Schema } from '../store/schema.ts'
import type { Sealing } from '../store/sealing.ts'
import type { Store } from '../store/store.ts'
import { usersIn } from '../store/users.ts'
import type { Realm } from './arns.ts'
import { administratorPolicy, carryOver } from './carry-over.ts'
import { newSecretAccessKey, uniqueId } from './unique-id.ts'

export type FirstStart = { store: Store; sealing: Sealing; realm: Realm; now: number }
export type FirstAdministrator = { userName: string; accessKeyId: string; secretAccessKey: string }

export const ADMINISTRATOR = 'admin'
/** Reached once policies decide: what there was before them has been given some. */
export const IDENTITIES = 'identities'

/**
 * Makes a server usable that nobody has set up: an administrator where there is no user, with a key that is shown
 * once, and a role for nodes. To do at every start: what was done once stays as people have changed it since.
 * Undefined if there is somebody already.
 */
export function firstStart({
  store,
  sealing,
  realm,
  now,
}: FirstStart): Promise<FirstAdministrator | undefined> {
  const { scope } = realm
  // All or nothing: a user without a key or a policy would keep everybody out for good.
  return inTransaction(store.db, async transaction => {
    if (await milestonesIn(transaction).reach(scope, IDENTITIES, now)) {
      await carryOver(transaction, realm, now)
    }
    if ((await usersIn(transaction).count(scope)) > 0) return undefined
    const userId = uniqueId('AIDA')
    await usersIn(transaction).create(scope, { userName: ADMINISTRATOR, userId, path: '/', createdAt: now })
    return await empower(transaction, ADMINISTRATOR, { sealing, realm, now })
  })
}

/** Gives a user AdministratorAccess and a new key, however many it has. */
export async function empower(
  transaction: Transaction<Schema>,
  userName: string,
  { sealing, realm, now }: Omit<FirstStart, 'store'>,
): Promise<FirstAdministrator> {
  const owner = { ownerType: 'user', ownerName: userName } as const
  const policyArn = administratorPolicy(realm)
  await ownerPoliciesIn(transaction).attach(realm.scope, { ...owner, policyArn, attachedAt: now })
  const accessKeyId = uniqueId('AKIA')
  const secretAccessKey = newSecretAccessKey()
  const sealedSecret = sealing.seal(secretAccessKey, accessKeyId)
  const key = { accessKeyId, userName, sealedSecret, createdAt: now }
  await accessKeysIn(transaction).createBeyondLimit(realm.scope, key)
  return { userName, accessKeyId, secretAccessKey }
}
