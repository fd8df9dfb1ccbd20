import type { Kysely } from 'kysely'
import { inTransaction } from './in-transaction.ts'
import type { InstanceProfileRow, Schema, Scope } from './schema.ts'
import { type Tag, tagsIn } from './tags.ts'

/** What the tags of instance profiles are kept under. */
export const PROFILE_TAGS = 'InstanceProfile'

export type NewInstanceProfile = Omit<InstanceProfileRow, keyof Scope | 'roleName'>

export function instanceProfilesIn(db: Kysely<Schema>) {
  return {
    /**
     * A profile without a role, with its tags, unless one has that name (upper and lower case make no difference) or
     * there are `limit` of them.
     */
    create(
      scope: Scope,
      profile: NewInstanceProfile,
      { tags = [], limit }: { tags?: Tag[]; limit: number },
    ): Promise<{ created: InstanceProfileRow } | { created?: undefined; reason: 'taken' | 'full' }> {
      const row = { ...profile, accountId: scope.accountId, region: scope.region, roleName: null }
      return inTransaction(db, async transaction => {
        const names = (await profileRows(transaction, scope).execute()).map(found => found.profileName)
        const folded = profile.profileName.toLowerCase()
        if (names.some(name => name.toLowerCase() === folded)) return { reason: 'taken' }
        if (names.length >= limit) return { reason: 'full' }
        await transaction.insertInto('instanceProfiles').values(row).execute()
        const tagsOf = tagsIn(transaction)
        await tagsOf.clear(scope, PROFILE_TAGS, profile.profileName)
        await tagsOf.add(scope, PROFILE_TAGS, profile.profileName, tags)
        return { created: row }
      })
    },

    /** By its name in exactly this spelling. */
    get(scope: Scope, profileName: string): Promise<InstanceProfileRow | undefined> {
      return profileRows(db, scope).where('profileName', '=', profileName).executeTakeFirst()
    },

    /** All, by name. */
    list(scope: Scope): Promise<InstanceProfileRow[]> {
      return profileRows(db, scope).orderBy('profileName').execute()
    },

    /** All that hold a role, by name. */
    forRole(scope: Scope, roleName: string): Promise<InstanceProfileRow[]> {
      return profileRows(db, scope).where('roleName', '=', roleName).orderBy('profileName').execute()
    },

    /** Puts a role into a profile that has none. `occupied`: it has one, the same or another. */
    setRole(
      scope: Scope,
      profileName: string,
      roleName: string,
    ): Promise<'set' | 'no-profile' | 'no-role' | 'occupied'> {
      return inTransaction(db, async transaction => {
        const profile = await profileRows(transaction, scope)
          .where('profileName', '=', profileName)
          .executeTakeFirst()
        if (profile === undefined) return 'no-profile'
        const role = await transaction
          .selectFrom('roles')
          .select('roleName')
          .where('accountId', '=', scope.accountId)
          .where('region', '=', scope.region)
          .where('roleName', '=', roleName)
          .executeTakeFirst()
        if (role === undefined) return 'no-role'
        if (profile.roleName !== null) return 'occupied'
        await profileUpdate(transaction, scope, profileName).set({ roleName }).execute()
        return 'set'
      })
    },

    /** False when there is no such profile, or that role is not in it. */
    async removeRole(scope: Scope, profileName: string, roleName: string): Promise<boolean> {
      const { numUpdatedRows } = await profileUpdate(db, scope, profileName)
        .set({ roleName: null })
        .where('roleName', '=', roleName)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },

    /**
     * With its tags, and with its associations: a profile that gets the same name later is another one, and nodes
     * must not find themselves in it.
     */
    remove(scope: Scope, profileName: string): Promise<'removed' | 'missing' | 'has-role'> {
      return inTransaction(db, async transaction => {
        const profile = await profileRows(transaction, scope)
          .where('profileName', '=', profileName)
          .executeTakeFirst()
        if (profile === undefined) return 'missing'
        if (profile.roleName !== null) return 'has-role'
        for (const table of ['profileAssociations', 'instanceProfiles'] as const) {
          await transaction
            .deleteFrom(table)
            .where('accountId', '=', scope.accountId)
            .where('region', '=', scope.region)
            .where('profileName', '=', profileName)
            .execute()
        }
        await tagsIn(transaction).clear(scope, PROFILE_TAGS, profileName)
        return 'removed'
      })
    },
  }
}

function profileRows(db: Kysely<Schema>, scope: Scope) {
  return db
    .selectFrom('instanceProfiles')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
}

function profileUpdate(db: Kysely<Schema>, scope: Scope, profileName: string) {
  return db
    .updateTable('instanceProfiles')
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
    .where('profileName', '=', profileName)
}
