import type { Kysely } from 'kysely'
import { inTransaction } from './in-transaction.ts'
import { onceAMinute } from './once-a-minute.ts'
import type { AccessKeyRow, Schema, Scope, UserRow } from './schema.ts'

export type NewAccessKey = Pick<AccessKeyRow, 'accessKeyId' | 'userName' | 'sealedSecret' | 'createdAt'>

/** A key with the user who signs with it. */
export type AccessKey = AccessKeyRow & { user: Pick<UserRow, 'userName' | 'userId' | 'path'> }

/** So many per user, as with AWS: the old one and the new one while keys are rotated. */
export const MAXIMUM_KEYS_PER_USER = 2

export function accessKeysIn(db: Kysely<Schema>) {
  const isDue = onceAMinute()

  return {
    /** An active key of a user, unless that has MAXIMUM_KEYS_PER_USER. StoreError `constraint` when the id is taken. */
    create(scope: Scope, key: NewAccessKey): Promise<'created' | 'no-user' | 'full'> {
      return inTransaction(db, async transaction => {
        const user = await transaction
          .selectFrom('users')
          .select('userName')
          .where('accountId', '=', scope.accountId)
          .where('region', '=', scope.region)
          .where('userName', '=', key.userName)
          .executeTakeFirst()
        if (user === undefined) return 'no-user'
        const present = await keyRows(transaction, scope).where('userName', '=', key.userName).execute()
        if (present.length >= MAXIMUM_KEYS_PER_USER) return 'full'
        await insertKey(transaction, scope, key)
        return 'created'
      })
    },

    /** A key more than anybody else may have: for those who have lost theirs. */
    createBeyondLimit(scope: Scope, key: NewAccessKey): Promise<void> {
      return insertKey(db, scope, key)
    },

    /** Without a scope: the id is unique everywhere, and the caller learns from the row whose key it is. */
    async find(accessKeyId: string): Promise<AccessKey | undefined> {
      const row = await db
        .selectFrom('accessKeys')
        .innerJoin('users', join =>
          join
            .onRef('users.accountId', '=', 'accessKeys.accountId')
            .onRef('users.region', '=', 'accessKeys.region')
            .onRef('users.userName', '=', 'accessKeys.userName'),
        )
        .selectAll('accessKeys')
        .select(['users.userId', 'users.path'])
        .where('accessKeys.accessKeyId', '=', accessKeyId)
        .executeTakeFirst()
      if (!row) return undefined
      const { userId, path, ...key } = row
      return { ...key, user: { userName: key.userName, userId, path } }
    },

    /** By id. */
    listForUser(scope: Scope, userName: string): Promise<AccessKeyRow[]> {
      return keyRows(db, scope).where('userName', '=', userName).orderBy('accessKeyId').execute()
    },

    /** False when that user has no such key. */
    async setStatus(
      scope: Scope,
      userName: string,
      accessKeyId: string,
      status: AccessKeyRow['status'],
    ): Promise<boolean> {
      const { numUpdatedRows } = await db
        .updateTable('accessKeys')
        .set({ status })
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('userName', '=', userName)
        .where('accessKeyId', '=', accessKeyId)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },

    /** False when that user has no such key. */
    async remove(scope: Scope, userName: string, accessKeyId: string): Promise<boolean> {
      const { numDeletedRows } = await db
        .deleteFrom('accessKeys')
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('userName', '=', userName)
        .where('accessKeyId', '=', accessKeyId)
        .executeTakeFirst()
      return numDeletedRows > 0n
    },

    /** Remembers that a key was used, to the minute. */
    async touch(
      scope: Scope,
      accessKeyId: string,
      { now, service, region }: { now: number; service: string; region: string },
    ): Promise<void> {
      if (!isDue(accessKeyId, now)) return
      await db
        .updateTable('accessKeys')
        .set({ lastUsedAt: now, lastUsedService: service, lastUsedRegion: region })
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('accessKeyId', '=', accessKeyId)
        .execute()
    },
  }
}

function keyRows(db: Kysely<Schema>, scope: Scope) {
  return db
    .selectFrom('accessKeys')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
}

async function insertKey(db: Kysely<Schema>, { accountId, region }: Scope, key: NewAccessKey): Promise<void> {
  const unused = { lastUsedAt: null, lastUsedService: null, lastUsedRegion: null }
  await db
    .insertInto('accessKeys')
    .values({ ...key, ...unused, accountId, region, status: 'Active' })
    .execute()
}
