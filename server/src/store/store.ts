import type { Kysely } from 'kysely'
import { activationsIn } from './activations.ts'
import { documentsIn } from './documents.ts'
import { migrateToLatest } from './migrate.ts'
import { nodePresenceIn } from './node-presence.ts'
import { nodesIn } from './nodes.ts'
import { principalsIn } from './principals.ts'
import { registrationIn } from './registration.ts'
import type { Schema } from './schema.ts'
import { secretsIn } from './secrets.ts'
import { sessionEndIn } from './session-end.ts'
import { sessionTokensIn } from './session-tokens.ts'
import { sessionsIn } from './sessions.ts'
import { openSqlite } from './sqlite.ts'
import { tagsIn } from './tags.ts'
import { tasksIn } from './tasks.ts'

export type Store = ReturnType<typeof storeIn>

/** Opens the SQLite store at `path`, made or brought up to date as needed. What it answers is on the disk. */
export async function openStore({ path }: { path: string }): Promise<Store> {
  const { db } = await openSqlite<Schema>(path)
  try {
    await migrateToLatest(db)
    return storeIn(db)
  } catch (error) {
    await db.destroy()
    throw error
  }
}

/** The store in a database that has the newest schema. All functions reject with StoreError. */
function storeIn(db: Kysely<Schema>) {
  return {
    db,
    activations: { ...activationsIn(db), ...registrationIn(db) },
    documents: documentsIn(db),
    nodes: { ...nodesIn(db), ...nodePresenceIn(db) },
    principals: principalsIn(db),
    secrets: secretsIn(db),
    sessions: { ...sessionsIn(db), ...sessionEndIn(db), ...sessionTokensIn(db) },
    tags: tagsIn(db),
    tasks: tasksIn(db),
    close: () => db.destroy(),
  }
}
