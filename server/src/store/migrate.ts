import { type Kysely, type Migration, Migrator } from 'kysely'
import { StoreError } from './errors.ts'
import * as initial from './migrations/0001-initial.ts'
import * as sessionQuotas from './migrations/0002-session-quotas.ts'
import * as identities from './migrations/0003-identities.ts'
import * as commands from './migrations/0004-commands.ts'
import * as parameters from './migrations/0005-parameters.ts'
import * as documentPermissions from './migrations/0006-document-permissions.ts'
import type { Schema } from './schema.ts'

// In code rather than read from a folder, since a bundle has no folder. Names order them and are never changed.
const migrations: Record<string, Migration> = {
  '0001-initial': initial,
  '0002-session-quotas': sessionQuotas,
  '0003-identities': identities,
  '0004-commands': commands,
  '0005-parameters': parameters,
  '0006-document-permissions': documentPermissions,
}

/** Brings the database to the newest schema. Throws StoreError and leaves it as it was when that fails. */
export async function migrateToLatest(db: Kysely<Schema>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
  const { error, results } = await migrator.migrateToLatest()
  if (error === undefined) return
  if (error instanceof StoreError) throw error
  const failed = results?.find(result => result.status === 'Error')?.migrationName ?? 'the migrations'
  throw new StoreError('failed', `database: ${failed} could not be applied: ${String(error)}`, error)
}
