import type { Kysely } from 'kysely'
import { fromColumn, toColumn } from './json-column.ts'
import type { Json, Schema, Scope, TaskRow } from './schema.ts'

/** Work that is owed to a node until the node has it. */
export type Task = Omit<TaskRow, 'payload'> & { payload: Json }
export type NewTask = Omit<Task, keyof Scope>

/** How many tasks of one node are read at once; the caller asks again after it has sent and deleted them. */
const MAX_TASKS_READ = 1_000

export function tasksIn(db: Kysely<Schema>) {
  const deletion = (scope: Scope) =>
    db.deleteFrom('tasks').where('accountId', '=', scope.accountId).where('region', '=', scope.region)

  return {
    async insert(scope: Scope, task: NewTask): Promise<Task> {
      return insertTask(db, scope, task)
    },

    /** Oldest first, at most MAX_TASKS_READ. */
    async listForNode(scope: Scope, nodeId: string): Promise<Task[]> {
      const rows = await db
        .selectFrom('tasks')
        .selectAll()
        .where('accountId', '=', scope.accountId)
        .where('region', '=', scope.region)
        .where('nodeId', '=', nodeId)
        .orderBy('createdAt')
        // The end of a session created in the same millisecond comes after its start.
        .orderBy('kind', 'desc')
        .orderBy('taskId')
        .limit(MAX_TASKS_READ)
        .execute()
      return rows.map(row => ({ ...row, payload: fromColumn(row.payload) }))
    },

    /** Whether the task was still there: of two that delete it, one is told so. */
    async delete(scope: Scope, taskId: string): Promise<boolean> {
      const { numDeletedRows } = await deletion(scope).where('taskId', '=', taskId).executeTakeFirst()
      return numDeletedRows > 0n
    },

    /** Answers how many there were. */
    async deleteForSession(scope: Scope, sessionId: string, kind?: TaskRow['kind']): Promise<number> {
      let query = deletion(scope).where('sessionId', '=', sessionId)
      if (kind) query = query.where('kind', '=', kind)
      return Number((await query.executeTakeFirst()).numDeletedRows)
    },
  }
}

/** Also inside a transaction of another table. */
export async function insertTask(
  db: Kysely<Schema>,
  { accountId, region }: Scope,
  task: NewTask,
): Promise<Task> {
  await db
    .insertInto('tasks')
    .values({ ...task, accountId, region, payload: toColumn(task.payload) })
    .execute()
  return { ...task, accountId, region }
}
