import type { Kysely } from 'kysely'
import { addColumn, createTable } from './tables.ts'

/** Groups, roles, policies and instance profiles; before them there were users, who could do everything. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const { name, key, columns } of tables) await createTable(db, name, key, columns).execute()
  for (const [table, column, type] of columnsAdded) await addColumn(db, table, column, type).execute()
  await db.schema
    .createIndex('policy_attachments_by_policy')
    .on('attached_policies')
    .columns(['account_id', 'region', 'policy_arn'])
    .execute()
  await db.schema
    .createIndex('group_members_by_user')
    .on('group_members')
    .columns(['account_id', 'region', 'user_name'])
    .execute()
  await db.schema
    .createIndex('profile_associations_by_node')
    .unique()
    .on('profile_associations')
    .columns(['account_id', 'region', 'node_id'])
    .execute()
}

const columnsAdded = [
  ['users', 'permissions_boundary', 'text?'],
  ['access_keys', 'last_used_service', 'text?'],
  ['access_keys', 'last_used_region', 'text?'],
  ['nodes', 'last_seen_at', 'bigint?'],
  ['sessions', 'authority', 'text?'],
] as const

const tables: readonly { name: string; key: string[]; columns: Readonly<Record<string, string>> }[] = [
  {
    name: 'user_groups',
    key: ['group_name'],
    columns: { group_name: 'text', group_id: 'text', path: 'text', created_at: 'bigint' },
  },
  {
    name: 'group_members',
    key: ['group_name', 'user_name'],
    columns: { group_name: 'text', user_name: 'text' },
  },
  {
    name: 'roles',
    key: ['role_name'],
    columns: {
      role_name: 'text',
      role_id: 'text',
      path: 'text',
      description: 'text?',
      trust_policy: 'text',
      max_session_duration: 'integer',
      permissions_boundary: 'text?',
      created_at: 'bigint',
      last_used_at: 'bigint?',
      last_used_region: 'text?',
    },
  },
  {
    name: 'managed_policies',
    key: ['policy_name'],
    columns: {
      policy_name: 'text',
      policy_id: 'text',
      policy_arn: 'text',
      path: 'text',
      description: 'text?',
      default_version: 'integer',
      latest_version: 'integer',
      created_at: 'bigint',
      updated_at: 'bigint',
    },
  },
  {
    name: 'policy_versions',
    key: ['policy_name', 'version'],
    columns: { policy_name: 'text', version: 'integer', document: 'text', created_at: 'bigint' },
  },
  {
    name: 'attached_policies',
    key: ['owner_type', 'owner_name', 'policy_arn'],
    columns: { owner_type: 'text', owner_name: 'text', policy_arn: 'text', attached_at: 'bigint' },
  },
  {
    name: 'inline_policies',
    key: ['owner_type', 'owner_name', 'policy_name'],
    columns: { owner_type: 'text', owner_name: 'text', policy_name: 'text', document: 'text' },
  },
  {
    name: 'instance_profiles',
    key: ['profile_name'],
    columns: {
      profile_name: 'text',
      profile_id: 'text',
      path: 'text',
      role_name: 'text?',
      created_at: 'bigint',
    },
  },
  {
    name: 'profile_associations',
    key: ['association_id'],
    columns: { association_id: 'text', node_id: 'text', profile_name: 'text', created_at: 'bigint' },
  },
  {
    name: 'login_profiles',
    key: ['user_name'],
    columns: {
      user_name: 'text',
      password_hash: 'text',
      password_reset_required: 'integer',
      created_at: 'bigint',
    },
  },
  {
    name: 'milestones',
    key: ['milestone'],
    columns: { milestone: 'text', reached_at: 'bigint' },
  },
]
