import type { Kysely } from 'kysely'
import { inTransaction } from './in-transaction.ts'
import { ownerPoliciesIn } from './owner-policies.ts'
import type { Schema, Scope, UserGroupRow, UserRow } from './schema.ts'

/** In an account, as with AWS. */
export const MAXIMUM_GROUPS = 300
/** That one user may be in, as with AWS. */
export const MAXIMUM_GROUPS_PER_USER = 10

export type NewGroup = Omit<UserGroupRow, keyof Scope>

/** Why a group was not removed: what still belongs to it. */
export type GroupRemoval = 'removed' | 'missing' | 'users' | 'attached-policies' | 'inline-policies'

export function groupsIn(db: Kysely<Schema>) {
  return {
    /** Unless a group has that name (upper and lower case make no difference) or there are MAXIMUM_GROUPS. */
    create(
      scope: Scope,
      group: NewGroup,
    ): Promise<{ created: UserGroupRow } | { created?: undefined; reason: 'taken' | 'full' }> {
      const row = { ...group, accountId: scope.accountId, region: scope.region }
      return inTransaction(db, async transaction => {
        const present = await groupRows(transaction, scope).execute()
        if (isTaken(present, group.groupName)) return { reason: 'taken' }
        if (present.length >= MAXIMUM_GROUPS) return { reason: 'full' }
        await transaction.insertInto('userGroups').values(row).execute()
        return { created: row }
      })
    },

    /** By its name in exactly this spelling. */
    get(scope: Scope, groupName: string): Promise<UserGroupRow | undefined> {
      return groupRows(db, scope).where('groupName', '=', groupName).executeTakeFirst()
    },

    /** All, by name. */
    list(scope: Scope): Promise<UserGroupRow[]> {
      return groupRows(db, scope).orderBy('groupName').execute()
    },

    /** Another name or path for the same group, with everything that it has. */
    update(
      scope: Scope,
      groupName: string,
      change: { newName?: string | undefined; newPath?: string | undefined },
    ): Promise<'updated' | 'missing' | 'taken'> {
      return inTransaction(db, async transaction => {
        const present = await groupRows(transaction, scope).execute()
        const group = present.find(each => each.groupName === groupName)
        if (group === undefined) return 'missing'
        const { newName = groupName, newPath = group.path } = change
        const others = present.filter(each => each !== group)
        if (isTaken(others, newName)) return 'taken'
        await transaction
          .updateTable('userGroups')
          .set({ groupName: newName, path: newPath })
          .where('accountId', '=', scope.accountId)
          .where('region', '=', scope.region)
          .where('groupName', '=', groupName)
          .execute()
        if (newName !== groupName) await moveBelongings(transaction, scope, groupName, newName)
        return 'updated'
      })
    },

    /** Only a group that nothing belongs to goes. */
    remove(scope: Scope, groupName: string): Promise<GroupRemoval> {
      return inTransaction(db, async transaction => {
        if ((await memberRows(transaction, scope, { groupName })).length > 0) return 'users'
        const { attached, inline } = await ownerPoliciesIn(transaction).of(scope, 'group', [groupName])
        if (attached.length > 0) return 'attached-policies'
        if (inline.length > 0) return 'inline-policies'
        const { numDeletedRows } = await transaction
          .deleteFrom('userGroups')
          .where('accountId', '=', scope.accountId)
          .where('region', '=', scope.region)
          .where('groupName', '=', groupName)
          .executeTakeFirst()
        return numDeletedRows === 0n ? 'missing' : 'removed'
      })
    },

    /** `full`: the user is in MAXIMUM_GROUPS_PER_USER others. Somebody who is in it already stays in it. */
    addUser(
      scope: Scope,
      groupName: string,
      userName: string,
    ): Promise<'added' | 'no-group' | 'no-user' | 'full'> {
      const { accountId, region } = scope
      return inTransaction(db, async transaction => {
        const missing = await whichIsMissing(transaction, scope, groupName, userName)
        if (missing !== undefined) return missing
        const groups = await memberRows(transaction, scope, { userName })
        if (groups.some(group => group.groupName === groupName)) return 'added'
        if (groups.length >= MAXIMUM_GROUPS_PER_USER) return 'full'
        await transaction
          .insertInto('groupMembers')
          .values({ accountId, region, groupName, userName })
          .execute()
        return 'added'
      })
    },

    /** Somebody who is not in it may be removed. */
    removeUser(
      scope: Scope,
      groupName: string,
      userName: string,
    ): Promise<'removed' | 'no-group' | 'no-user'> {
      return inTransaction(db, async transaction => {
        const missing = await whichIsMissing(transaction, scope, groupName, userName)
        if (missing !== undefined) return missing
        await transaction
          .deleteFrom('groupMembers')
          .where('accountId', '=', scope.accountId)
          .where('region', '=', scope.region)
          .where('groupName', '=', groupName)
          .where('userName', '=', userName)
          .execute()
        return 'removed'
      })
    },

    /** Who is in it, by name. */
    members(scope: Scope, groupName: string): Promise<UserRow[]> {
      return db
        .selectFrom('groupMembers')
        .innerJoin('users', join =>
          join
            .onRef('users.accountId', '=', 'groupMembers.accountId')
            .onRef('users.region', '=', 'groupMembers.region')
            .onRef('users.userName', '=', 'groupMembers.userName'),
        )
        .selectAll('users')
        .where('groupMembers.accountId', '=', scope.accountId)
        .where('groupMembers.region', '=', scope.region)
        .where('groupMembers.groupName', '=', groupName)
        .orderBy('users.userName')
        .execute()
    },

    /** The names of the groups that a user is in, in their order. */
    async ofUser(scope: Scope, userName: string): Promise<string[]> {
      return (await memberRows(db, scope, { userName })).map(({ groupName }) => groupName)
    },
  }
}

function groupRows(db: Kysely<Schema>, scope: Scope) {
  return db
    .selectFrom('userGroups')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
}

function memberRows(db: Kysely<Schema>, scope: Scope, of: { groupName?: string; userName?: string }) {
  let query = db
    .selectFrom('groupMembers')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
  if (of.groupName !== undefined) query = query.where('groupName', '=', of.groupName)
  if (of.userName !== undefined) query = query.where('userName', '=', of.userName)
  return query.orderBy('groupName').orderBy('userName').execute()
}

function isTaken(present: readonly UserGroupRow[], groupName: string): boolean {
  return present.some(group => group.groupName.toLowerCase() === groupName.toLowerCase())
}

async function whichIsMissing(
  db: Kysely<Schema>,
  scope: Scope,
  groupName: string,
  userName: string,
): Promise<'no-group' | 'no-user' | undefined> {
  const group = await groupRows(db, scope).where('groupName', '=', groupName).executeTakeFirst()
  if (group === undefined) return 'no-group'
  const user = await db
    .selectFrom('users')
    .select('userName')
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
    .where('userName', '=', userName)
    .executeTakeFirst()
  return user === undefined ? 'no-user' : undefined
}

async function moveBelongings(db: Kysely<Schema>, scope: Scope, from: string, to: string): Promise<void> {
  await db
    .updateTable('groupMembers')
    .set({ groupName: to })
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
    .where('groupName', '=', from)
    .execute()
  await ownerPoliciesIn(db).rename(scope, 'group', from, to)
}
