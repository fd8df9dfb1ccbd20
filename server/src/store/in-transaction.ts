import type { Kysely, Transaction } from 'kysely'
import type { Schema } from './schema.ts'

/** Runs `work` in the transaction that `db` is, or in one of its own: all of it is stored or nothing. */
export function inTransaction<T>(
  db: Kysely<Schema>,
  work: (transaction: Transaction<Schema>) => Promise<T>,
): Promise<T> {
  return db.isTransaction ? work(db as Transaction<Schema>) : db.transaction().execute(work)
}
