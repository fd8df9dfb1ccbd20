import type { Kysely } from 'kysely'
import { createTable, scopeColumns } from './tables.ts'

const tables: readonly { name: string; key: string[]; columns: Readonly<Record<string, string>> }[] = [
  {
    name: 'users',
    key: ['user_name'],
    columns: { user_name: 'text', user_id: 'text', path: 'text', created_at: 'bigint' },
  },
  {
    name: 'activations',
    key: ['activation_id'],
    columns: {
      activation_id: 'text',
      code_hash: 'text',
      description: 'text?',
      default_instance_name: 'text?',
      iam_role: 'text',
      registration_limit: 'integer',
      registrations_count: 'integer',
      expires_at: 'bigint',
      created_at: 'bigint',
      tags: 'text',
    },
  },
  {
    name: 'nodes',
    key: ['node_id'],
    columns: {
      node_id: 'text',
      kind: 'text',
      activation_id: 'text?',
      iam_role: 'text?',
      role_id: 'text?',
      name: 'text?',
      public_key: 'text',
      fingerprint: 'text',
      registered_at: 'bigint',
      deregistered_at: 'bigint?',
      agent_name: 'text?',
      agent_version: 'text?',
      platform_type: 'text?',
      platform_name: 'text?',
      platform_version: 'text?',
      computer_name: 'text?',
      ip_address: 'text?',
      connection_channel: 'text?',
      last_ping_at: 'bigint?',
      connected: 'integer',
      connection_epoch: 'bigint',
      connection_server: 'text?',
      connected_at: 'bigint?',
      disconnected_at: 'bigint?',
    },
  },
  {
    name: 'tags',
    key: ['resource_type', 'resource_id', 'tag_key'],
    columns: { resource_type: 'text', resource_id: 'text', tag_key: 'text', tag_value: 'text' },
  },
  {
    name: 'sessions',
    key: ['session_id'],
    columns: {
      session_id: 'text',
      node_id: 'text',
      owner_arn: 'text',
      owner_user_id: 'text',
      document_name: 'text',
      document_version: 'text',
      document_content: 'text',
      parameters: 'text',
      reason: 'text?',
      status: 'text',
      details: 'text?',
      started_at: 'bigint',
      connected_at: 'bigint?',
      ended_at: 'bigint?',
      idle_timeout_ms: 'bigint?',
      max_duration_ms: 'bigint?',
      client_token_hash: 'text?',
      client_token_expires_at: 'bigint?',
      client_token_used_at: 'bigint?',
      agreed: 'text?',
      run_as_user: 'text?',
      data_plane: 'text?',
    },
  },
  {
    name: 'tasks',
    key: ['task_id'],
    columns: {
      task_id: 'text',
      node_id: 'text',
      kind: 'text',
      session_id: 'text',
      payload: 'text',
      created_at: 'bigint',
    },
  },
  {
    name: 'documents',
    key: ['name', 'version'],
    columns: {
      name: 'text',
      version: 'integer',
      document_type: 'text',
      document_format: 'text',
      content: 'text',
      hash: 'text',
      is_default: 'integer',
      created_at: 'bigint',
      display_name: 'text?',
      version_name: 'text?',
      target_type: 'text?',
      status: 'text',
    },
  },
  { name: 'secrets', key: ['name'], columns: { name: 'text', value: 'text' } },
]

const indexes: readonly { name: string; table: string; columns: string[] }[] = [
  { name: 'activations_by_age', table: 'activations', columns: ['created_at', 'activation_id'] },
  { name: 'nodes_by_server', table: 'nodes', columns: ['connection_server'] },
  { name: 'tags_by_key', table: 'tags', columns: ['tag_key', 'tag_value'] },
  { name: 'sessions_by_age', table: 'sessions', columns: ['started_at', 'session_id'] },
  { name: 'sessions_by_node', table: 'sessions', columns: ['node_id', 'started_at'] },
  { name: 'sessions_by_status', table: 'sessions', columns: ['status', 'started_at'] },
  { name: 'tasks_by_node', table: 'tasks', columns: ['node_id', 'created_at'] },
  { name: 'tasks_by_session', table: 'tasks', columns: ['session_id'] },
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const { name, key, columns } of tables) await createTable(db, name, key, columns).execute()
  await createTable(db, 'access_keys', ['access_key_id'], {
    access_key_id: 'text',
    user_name: 'text',
    sealed_secret: 'text',
    status: 'text',
    created_at: 'bigint',
    last_used_at: 'bigint?',
  })
    // A request names nothing but its key, so a key id is unique across accounts.
    .addUniqueConstraint('access_keys_access_key_id', ['access_key_id'])
    .addForeignKeyConstraint(
      'access_keys_user',
      [...scopeColumns, 'user_name'],
      'users',
      [...scopeColumns, 'user_name'],
      fk => fk.onDelete('cascade'),
    )
    .execute()
  for (const { name, table, columns } of indexes) {
    await db.schema
      .createIndex(name)
      .on(table)
      .columns([...scopeColumns, ...columns])
      .execute()
  }
}
