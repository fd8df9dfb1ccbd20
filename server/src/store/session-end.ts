import type { Kysely } from 'kysely'
import type { Schema, Scope } from './schema.ts'
import { sessionsIn } from './sessions.ts'
import { insertTask, type NewTask } from './tasks.ts'

export type SessionEnding = {
  status: 'Terminated' | 'Failed'
  details?: string
  now: number
  /** Tells the node, which may have been told to start the session, to end it; absent if it knows. */
  task?: NewTask
}

/** Ending a session is one step: nobody may find it ended with its node not told, or started again later. */
export function sessionEndIn(db: Kysely<Schema>) {
  return {
    /** False when it had ended before: of several that end a session one is told so. */
    end(scope: Scope, sessionId: string, { status, details, now, task }: SessionEnding): Promise<boolean> {
      return db.transaction().execute(async transaction => {
        const change = { now, ...(details === undefined ? {} : { details }) }
        const ended = await sessionsIn(transaction).setStatus(scope, sessionId, status, change)
        if (!ended) return false
        await transaction
          .deleteFrom('tasks')
          .where('accountId', '=', scope.accountId)
          .where('region', '=', scope.region)
          .where('sessionId', '=', sessionId)
          .execute()
        if (task !== undefined) await insertTask(transaction, scope, task)
        return true
      })
    },
  }
}
