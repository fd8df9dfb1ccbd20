import type { Kysely } from 'kysely'
import { inTransaction } from './in-transaction.ts'
import { onceAMinute } from './once-a-minute.ts'
import type { RoleRow, Schema, Scope } from './schema.ts'
import { type Tag, tagsIn } from './tags.ts'

/** What the tags of roles are kept under. */
export const ROLE_TAGS = 'Role'

/** `lastUsed…` are not known of a new one. */
export type NewRole = Omit<RoleRow, keyof Scope | 'lastUsedAt' | 'lastUsedRegion'>

/** What may change while the role stays the same one. */
export type RoleChange = Partial<
  Pick<RoleRow, 'description' | 'maxSessionDuration' | 'trustPolicy' | 'permissionsBoundary'>
>

/** Why a role was not removed: what still belongs to it. */
export type RoleRemoval = 'removed' | 'missing' | 'attached-policies' | 'inline-policies' | 'instance-profile'

export function rolesIn(db: Kysely<Schema>) {
  const isDue = onceAMinute()

  const update = (scope: Scope, roleName: string) =>
    db
      .updateTable('roles')
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
      .where('roleName', '=', roleName)

  return {
    /**
     * A role with its tags, unless one has that name (upper and lower case make no difference) or there are `limit`
     * of them.
     */
    create(
      scope: Scope,
      role: NewRole,
      { tags = [], limit }: { tags?: Tag[]; limit: number },
    ): Promise<{ created: RoleRow } | { created?: undefined; reason: 'taken' | 'full' }> {
      const { accountId, region } = scope
      const row = { ...role, accountId, region, lastUsedAt: null, lastUsedRegion: null }
      return inTransaction(db, async transaction => {
        const names = await roleNames(transaction, scope)
        const folded = role.roleName.toLowerCase()
        if (names.some(name => name.toLowerCase() === folded)) return { reason: 'taken' }
        if (names.length >= limit) return { reason: 'full' }
        await transaction.insertInto('roles').values(row).execute()
        const tagsOf = tagsIn(transaction)
        await tagsOf.clear(scope, ROLE_TAGS, role.roleName)
        await tagsOf.add(scope, ROLE_TAGS, role.roleName, tags)
        return { created: row }
      })
    },

    /** By its name in exactly this spelling. */
    get(scope: Scope, roleName: string): Promise<RoleRow | undefined> {
      return roleRows(db, scope).where('roleName', '=', roleName).executeTakeFirst()
    },

    /** All, by name. */
    list(scope: Scope): Promise<RoleRow[]> {
      return roleRows(db, scope).orderBy('roleName').execute()
    },

    /** False when there is no such role. */
    async update(scope: Scope, roleName: string, change: RoleChange): Promise<boolean> {
      if (Object.keys(change).length === 0) {
        return (await roleRows(db, scope).where('roleName', '=', roleName).executeTakeFirst()) !== undefined
      }
      const { numUpdatedRows } = await update(scope, roleName).set(change).executeTakeFirst()
      return numUpdatedRows > 0n
    },

    /** The ARN of a managed policy, or null for none. False when there is no such role. */
    async setBoundary(scope: Scope, roleName: string, policyArn: string | null): Promise<boolean> {
      const { numUpdatedRows } = await update(scope, roleName)
        .set({ permissionsBoundary: policyArn })
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },

    /** Remembers that a role was used, to the minute. */
    async touch(
      scope: Scope,
      roleName: string,
      { now, region }: { now: number; region: string },
    ): Promise<void> {
      if (!isDue(JSON.stringify([scope.accountId, scope.region, roleName, region]), now)) return
      await update(scope, roleName).set({ lastUsedAt: now, lastUsedRegion: region }).execute()
    },

    /** With its tags. Only a role that nothing belongs to goes. */
    remove(scope: Scope, roleName: string): Promise<RoleRemoval> {
      return inTransaction(db, async transaction => {
        const held = await whatBelongsTo(transaction, scope, roleName)
        if (held !== undefined) return held
        const { numDeletedRows } = await transaction
          .deleteFrom('roles')
          .where('accountId', '=', scope.accountId)
          .where('region', '=', scope.region)
          .where('roleName', '=', roleName)
          .executeTakeFirst()
        if (numDeletedRows === 0n) return 'missing'
        await tagsIn(transaction).clear(scope, ROLE_TAGS, roleName)
        return 'removed'
      })
    },
  }
}

function roleRows(db: Kysely<Schema>, scope: Scope) {
  return db
    .selectFrom('roles')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
}

async function roleNames(db: Kysely<Schema>, scope: Scope): Promise<string[]> {
  const rows = await db
    .selectFrom('roles')
    .select('roleName')
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
    .execute()
  return rows.map(row => row.roleName)
}

async function whatBelongsTo(
  db: Kysely<Schema>,
  { accountId, region }: Scope,
  roleName: string,
): Promise<RoleRemoval | undefined> {
  const profile = await db
    .selectFrom('instanceProfiles')
    .select('profileName')
    .where('accountId', '=', accountId)
    .where('region', '=', region)
    .where('roleName', '=', roleName)
    .executeTakeFirst()
  if (profile !== undefined) return 'instance-profile'
  for (const [table, reason] of [
    ['attachedPolicies', 'attached-policies'],
    ['inlinePolicies', 'inline-policies'],
  ] as const) {
    const policy = await db
      .selectFrom(table)
      .select('ownerName')
      .where('accountId', '=', accountId)
      .where('region', '=', region)
      .where('ownerType', '=', 'role')
      .where('ownerName', '=', roleName)
      .executeTakeFirst()
    if (policy !== undefined) return reason
  }
  return undefined
}
