import type { Kysely } from 'kysely'
import { inTransaction } from './in-transaction.ts'
import { ownerPoliciesIn } from './owner-policies.ts'
import type { Schema, Scope, UserRow } from './schema.ts'
import { type Tag, tagsIn } from './tags.ts'

/** What the tags of users are kept under. */
export const USER_TAGS = 'User'
/** In an account, as with AWS. */
export const MAXIMUM_USERS = 5000

export type NewUser = Omit<UserRow, keyof Scope | 'permissionsBoundary'> &
  Partial<Pick<UserRow, 'permissionsBoundary'>>

/** Why a user was not removed: what still belongs to it. */
export type UserRemoval =
  | 'removed'
  | 'missing'
  | 'access-keys'
  | 'attached-policies'
  | 'groups'
  | 'inline-policies'
  | 'login-profile'

/** Everything that belongs to a user by name. */
const OWNED_TABLES = ['accessKeys', 'groupMembers', 'loginProfiles'] as const

export function usersIn(db: Kysely<Schema>) {
  return {
    /**
     * A user with tags, unless one has that name (upper and lower case make no difference) or there are
     * MAXIMUM_USERS.
     */
    create(
      scope: Scope,
      user: NewUser,
      tags: Tag[] = [],
    ): Promise<{ created: UserRow } | { created?: undefined; reason: 'taken' | 'full' }> {
      const { accountId, region } = scope
      const row = { permissionsBoundary: null, ...user, accountId, region }
      return inTransaction(db, async transaction => {
        if (await spelledAnyhow(transaction, scope, user.userName)) return { reason: 'taken' }
        if ((await countUsers(transaction, scope)) >= MAXIMUM_USERS) return { reason: 'full' }
        await transaction.insertInto('users').values(row).execute()
        const tagsOf = tagsIn(transaction)
        // Those of a former user of that name, were they written just while it went.
        await tagsOf.clear(scope, USER_TAGS, user.userName)
        await tagsOf.add(scope, USER_TAGS, user.userName, tags)
        return { created: row }
      })
    },

    /** By its name in exactly this spelling. */
    get(scope: Scope, userName: string): Promise<UserRow | undefined> {
      return userRows(db, scope).where('userName', '=', userName).executeTakeFirst()
    },

    /** All, by name. */
    list(scope: Scope): Promise<UserRow[]> {
      return userRows(db, scope).orderBy('userName').execute()
    },

    count(scope: Scope): Promise<number> {
      return countUsers(db, scope)
    },

    /** The ARN of a managed policy, or null for none. False when there is no such user. */
    async setBoundary(scope: Scope, userName: string, policyArn: string | null): Promise<boolean> {
      const { numUpdatedRows } = await db
        .updateTable('users')
        .set({ permissionsBoundary: policyArn })
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('userName', '=', userName)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },

    /** Another name or path for the same user, with everything that it has. */
    update(
      scope: Scope,
      userName: string,
      change: { newName?: string | undefined; newPath?: string | undefined },
    ): Promise<'updated' | 'missing' | 'taken'> {
      return inTransaction(db, async transaction => {
        const user = await userRows(transaction, scope).where('userName', '=', userName).executeTakeFirst()
        if (user === undefined) return 'missing'
        const { newName = userName, newPath = user.path } = change
        if (await spelledAnyhow(transaction, scope, newName, userName)) return 'taken'
        const row = { ...user, userName: newName, path: newPath }
        if (newName === userName) {
          await userUpdate(transaction, scope, userName).set({ path: newPath }).execute()
          return 'updated'
        }
        await tagsIn(transaction).clear(scope, USER_TAGS, newName)
        // Access keys refer to their user by its name: both are there until the keys have moved.
        await transaction.insertInto('users').values(row).execute()
        await moveBelongings(transaction, scope, userName, newName)
        await userDeletion(transaction, scope, userName).execute()
        return 'updated'
      })
    },

    /** With its tags. Only a user that nothing else belongs to goes. */
    remove(scope: Scope, userName: string): Promise<UserRemoval> {
      return inTransaction(db, async transaction => {
        const held = await whatBelongsTo(transaction, scope, userName)
        if (held !== undefined) return held
        const { numDeletedRows } = await userDeletion(transaction, scope, userName).executeTakeFirst()
        if (numDeletedRows === 0n) return 'missing'
        await tagsIn(transaction).clear(scope, USER_TAGS, userName)
        return 'removed'
      })
    },
  }
}

function userRows(db: Kysely<Schema>, scope: Scope) {
  return db
    .selectFrom('users')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
}

function userUpdate(db: Kysely<Schema>, scope: Scope, userName: string) {
  return db
    .updateTable('users')
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
    .where('userName', '=', userName)
}

function userDeletion(db: Kysely<Schema>, scope: Scope, userName: string) {
  return db
    .deleteFrom('users')
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
    .where('userName', '=', userName)
}

async function countUsers(db: Kysely<Schema>, scope: Scope): Promise<number> {
  const { users } = await db
    .selectFrom('users')
    .select(({ fn }) => fn.countAll().as('users'))
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
    .executeTakeFirstOrThrow()
  return Number(users)
}

/** Whether a user has that name, however spelled. Names are ASCII. */
async function spelledAnyhow(db: Kysely<Schema>, scope: Scope, userName: string, but = ''): Promise<boolean> {
  const found = await userRows(db, scope)
    .where(({ eb, fn }) => eb(fn<string>('lower', ['userName']), '=', userName.toLowerCase()))
    .where('userName', '!=', but)
    .executeTakeFirst()
  return found !== undefined
}

async function moveBelongings(db: Kysely<Schema>, scope: Scope, from: string, to: string): Promise<void> {
  for (const table of OWNED_TABLES) {
    await db
      .updateTable(table)
      .set({ userName: to })
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
      .where('userName', '=', from)
      .execute()
  }
  await db
    .updateTable('tags')
    .set({ resourceId: to })
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
    .where('resourceType', '=', USER_TAGS)
    .where('resourceId', '=', from)
    .execute()
  await ownerPoliciesIn(db).rename(scope, 'user', from, to)
}

async function whatBelongsTo(
  db: Kysely<Schema>,
  scope: Scope,
  userName: string,
): Promise<UserRemoval | undefined> {
  const has = async (table: (typeof OWNED_TABLES)[number]) =>
    (await db
      .selectFrom(table)
      .select('userName')
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
      .where('userName', '=', userName)
      .executeTakeFirst()) !== undefined
  if (await has('accessKeys')) return 'access-keys'
  if (await has('groupMembers')) return 'groups'
  const { attached, inline } = await ownerPoliciesIn(db).of(scope, 'user', [userName])
  if (attached.length > 0) return 'attached-policies'
  if (inline.length > 0) return 'inline-policies'
  if (await has('loginProfiles')) return 'login-profile'
  return undefined
}
