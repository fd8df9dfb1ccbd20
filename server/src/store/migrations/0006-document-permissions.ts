import type { Kysely } from 'kysely'
import { addColumn, createTable } from './tables.ts'

/** Whom documents are shared with, and which numbers their versions had. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const columns = { name: 'text', grantee: 'text', shared_version: 'text' }
  await createTable(db, 'document_shares', ['name', 'grantee'], columns).execute()
  await addColumn(db, 'documents', 'highest_version', 'integer?').execute()
}
