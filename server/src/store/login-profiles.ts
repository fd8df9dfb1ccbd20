import type { Kysely } from 'kysely'
import { inTransaction } from './in-transaction.ts'
import type { LoginProfileRow, Schema, Scope } from './schema.ts'

export type NewLoginProfile = Omit<LoginProfileRow, keyof Scope>

/** The passwords of users. Only hashes get here (iam/passwords.ts). */
export function loginProfilesIn(db: Kysely<Schema>) {
  const rows = (on: Kysely<Schema>, scope: Scope, userName: string) =>
    on
      .selectFrom('loginProfiles')
      .selectAll()
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
      .where('userName', '=', userName)

  return {
    create(scope: Scope, profile: NewLoginProfile): Promise<'created' | 'no-user' | 'taken'> {
      const { accountId, region } = scope
      return inTransaction(db, async transaction => {
        const user = await transaction
          .selectFrom('users')
          .select('userName')
          .where('accountId', '=', accountId)
          .where('region', '=', region)
          .where('userName', '=', profile.userName)
          .executeTakeFirst()
        if (user === undefined) return 'no-user'
        if ((await rows(transaction, scope, profile.userName).executeTakeFirst()) !== undefined)
          return 'taken'
        await transaction
          .insertInto('loginProfiles')
          .values({ ...profile, accountId, region })
          .execute()
        return 'created'
      })
    },

    get(scope: Scope, userName: string): Promise<LoginProfileRow | undefined> {
      return rows(db, scope, userName).executeTakeFirst()
    },

    /** `expected` is the hash that must still be there. False when it is not, or there is no profile. */
    async update(
      scope: Scope,
      userName: string,
      change: Partial<Pick<LoginProfileRow, 'passwordHash' | 'passwordResetRequired'>>,
      expected?: string,
    ): Promise<boolean> {
      let query = db
        .updateTable('loginProfiles')
        .set({ userName, ...change })
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('userName', '=', userName)
      if (expected !== undefined) query = query.where('passwordHash', '=', expected)
      return (await query.executeTakeFirst()).numUpdatedRows > 0n
    },

    /** False when there is none. */
    async remove(scope: Scope, userName: string): Promise<boolean> {
      const { numDeletedRows } = await db
        .deleteFrom('loginProfiles')
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('userName', '=', userName)
        .executeTakeFirst()
      return numDeletedRows > 0n
    },
  }
}
