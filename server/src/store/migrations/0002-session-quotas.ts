import type { Kysely } from 'kysely'

/** Live sessions are counted for every new one; those that have ended may be many more. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const [name, column] of [
    ['sessions_live_by_node', 'node_id'],
    ['sessions_live_by_owner', 'owner_user_id'],
  ] as const) {
    await db.schema
      .createIndex(name)
      .on('sessions')
      .columns(['account_id', 'region', column, 'status'])
      .execute()
  }
}
