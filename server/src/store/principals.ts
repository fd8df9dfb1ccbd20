import type { Kysely } from 'kysely'
import type { AccessKeyRow, Schema, Scope, UserRow } from './schema.ts'

export type NewAccessKey = Pick<AccessKeyRow, 'accessKeyId' | 'userName' | 'sealedSecret' | 'createdAt'>

/** A key with the user who signs with it. */
export type AccessKey = AccessKeyRow & { user: Pick<UserRow, 'userName' | 'userId' | 'path'> }

// The time of the last use is for people; writing it with every request would make every request a write.
const TOUCH_INTERVAL_MS = 60_000
const MAX_TOUCHED = 10_000

export function principalsIn(db: Kysely<Schema>) {
  const touched = new Map<string, number>()

  return {
    async createUser(scope: Scope, user: Omit<UserRow, keyof Scope>): Promise<UserRow> {
      const row = { ...user, accountId: scope.accountId, region: scope.region }
      await db.insertInto('users').values(row).execute()
      return row
    },

    getUser(scope: Scope, userName: string): Promise<UserRow | undefined> {
      return db
        .selectFrom('users')
        .selectAll()
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('userName', '=', userName)
        .executeTakeFirst()
    },

    async countUsers(scope: Scope): Promise<number> {
      const { users } = await db
        .selectFrom('users')
        .select(({ fn }) => fn.countAll().as('users'))
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .executeTakeFirstOrThrow()
      return Number(users)
    },

    /** An active key of a user who exists; StoreError `constraint` otherwise, or when the id is taken. */
    async createAccessKey(scope: Scope, key: NewAccessKey): Promise<AccessKeyRow> {
      const { accountId, region } = scope
      const row = { ...key, accountId, region, status: 'Active' as const, lastUsedAt: null }
      await db.insertInto('accessKeys').values(row).execute()
      return row
    },

    /** Without a scope: the id is unique everywhere, and the caller learns from the row whose key it is. */
    async findAccessKey(accessKeyId: string): Promise<AccessKey | undefined> {
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

    /** Remembers that a key was used, to the minute. */
    async touchKey(scope: Scope, accessKeyId: string, now: number): Promise<void> {
      const last = touched.get(accessKeyId)
      if (last !== undefined && now - last < TOUCH_INTERVAL_MS) return
      if (touched.size >= MAX_TOUCHED) touched.clear()
      touched.set(accessKeyId, now)
      await db
        .updateTable('accessKeys')
        .set({ lastUsedAt: now })
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('accessKeyId', '=', accessKeyId)
        .execute()
    },
  }
}
