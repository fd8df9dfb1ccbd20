import type { Kysely } from 'kysely'
import { createTable, scopeColumns } from './tables.ts'

/** Parameter Store, and the settings of the service. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await createTable(db, 'parameters', ['name', 'version'], {
    name: 'text',
    version: 'integer',
    is_latest: 'integer',
    parent: 'text',
    type: 'text',
    value: 'text',
    tier: 'text',
    data_type: 'text',
    description: 'text?',
    allowed_pattern: 'text?',
    key_id: 'text?',
    modified_at: 'bigint',
    modified_by: 'text',
  }).execute()
  await createTable(db, 'parameter_labels', ['name', 'label'], {
    name: 'text',
    label: 'text',
    version: 'integer',
  }).execute()
  await createTable(db, 'service_settings', ['setting_id'], {
    setting_id: 'text',
    value: 'text',
    modified_at: 'bigint',
    modified_by: 'text',
  }).execute()
  await db.schema
    .createIndex('parameters_latest')
    .on('parameters')
    .columns([...scopeColumns, 'is_latest', 'name'])
    .execute()
}
