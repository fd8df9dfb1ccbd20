import type { Kysely } from 'kysely'
import { createTable, scopeColumns } from './tables.ts'

/** Run Command. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const { name, key, columns } of tables) await createTable(db, name, key, columns).execute()
  for (const { name, on, columns } of indexes) {
    await db.schema
      .createIndex(name)
      .on(on)
      .columns([...scopeColumns, ...columns])
      .execute()
  }
}

const indexes = [
  { name: 'commands_by_time', on: 'commands', columns: ['requested_at', 'command_id'] },
  { name: 'invocations_in_order', on: 'invocations', columns: ['command_id', 'released_at', 'position'] },
  { name: 'invocations_by_revision', on: 'invocations', columns: ['command_id', 'revision'] },
  { name: 'invocations_owed', on: 'invocations', columns: ['node_id', 'owed'] },
  { name: 'invocations_by_deadline', on: 'invocations', columns: ['deadline'] },
]

const tables: readonly { name: string; key: string[]; columns: Readonly<Record<string, string>> }[] = [
  {
    name: 'commands',
    key: ['command_id'],
    columns: {
      command_id: 'text',
      document_name: 'text',
      document_version: 'text',
      document_content: 'text',
      bound_parameters: 'text',
      parameters: 'text',
      instance_ids: 'text',
      targets: 'text',
      comment: 'text',
      owner_arn: 'text',
      requested_at: 'bigint',
      timeout_seconds: 'bigint',
      execution_ms: 'bigint',
      expires_at: 'bigint',
      max_concurrency: 'text',
      max_errors: 'text',
      concurrency_limit: 'integer',
      error_limit: 'integer',
      settings: 'text',
      status: 'text',
      details: 'text',
      target_count: 'integer',
      waiting_count: 'integer',
      active_count: 'integer',
      completed_count: 'integer',
      success_count: 'integer',
      error_count: 'integer',
      delivery_timed_out_count: 'integer',
      cancelled_count: 'integer',
      cancel_requested_at: 'bigint?',
      ended_at: 'bigint?',
      revision: 'bigint',
    },
  },
  {
    name: 'invocations',
    key: ['command_id', 'node_id'],
    columns: {
      command_id: 'text',
      node_id: 'text',
      position: 'integer',
      node_name: 'text',
      status: 'text',
      details: 'text',
      owed: 'text?',
      not_before: 'bigint?',
      refusals: 'integer',
      released_at: 'bigint?',
      sent_at: 'bigint?',
      accepted_at: 'bigint?',
      ended_at: 'bigint?',
      deadline: 'bigint?',
      trace_output: 'text',
      revision: 'bigint',
    },
  },
  {
    name: 'step_results',
    key: ['command_id', 'node_id', 'step_name'],
    columns: {
      command_id: 'text',
      node_id: 'text',
      step_name: 'text',
      status: 'text',
      code: 'integer',
      output: 'text',
      standard_output: 'text',
      standard_error: 'text',
      started_at: 'bigint?',
      ended_at: 'bigint?',
    },
  },
]
