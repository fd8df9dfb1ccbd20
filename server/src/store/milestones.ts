import type { Kysely } from 'kysely'
import { inTransaction } from './in-transaction.ts'
import type { Schema, Scope } from './schema.ts'

/** What is done once in the life of an account and region, and never again whatever is undone later. */
export function milestonesIn(db: Kysely<Schema>) {
  return {
    /** True for the first who asks. Part of the transaction that does what there is to do. */
    reach({ accountId, region }: Scope, milestone: string, now: number): Promise<boolean> {
      return inTransaction(db, async transaction => {
        const known = await transaction
          .selectFrom('milestones')
          .select('reachedAt')
          .where('accountId', '=', accountId)
          .where('region', '=', region)
          .where('milestone', '=', milestone)
          .executeTakeFirst()
        if (known !== undefined) return false
        await transaction
          .insertInto('milestones')
          .values({ accountId, region, milestone, reachedAt: now })
          .execute()
        return true
      })
    },
  }
}
