import type { Kysely } from 'kysely'
import { accessKeysIn } from './access-keys.ts'
import { activationsIn } from './activations.ts'
import { documentsIn } from './documents.ts'
import { groupsIn } from './groups.ts'
import { instanceProfilesIn } from './instance-profiles.ts'
import { loginProfilesIn } from './login-profiles.ts'
import { migrateToLatest } from './migrate.ts'
import { milestonesIn } from './milestones.ts'
import { nodePresenceIn } from './node-presence.ts'
import { nodesIn } from './nodes.ts'
import { ownerPoliciesIn } from './owner-policies.ts'
import { policiesIn } from './policies.ts'
import { profileAssociationsIn } from './profile-associations.ts'
import { registrationIn } from './registration.ts'
import { rolesIn } from './roles.ts'
import type { Schema } from './schema.ts'
import { secretsIn } from './secrets.ts'
import { sessionEndIn } from './session-end.ts'
import { sessionTokensIn } from './session-tokens.ts'
import { sessionsIn } from './sessions.ts'
import { openSqlite } from './sqlite.ts'
import { tagsIn } from './tags.ts'
import { tasksIn } from './tasks.ts'
import { usersIn } from './users.ts'

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
    accessKeys: accessKeysIn(db),
    activations: { ...activationsIn(db), ...registrationIn(db) },
    documents: documentsIn(db),
    groups: groupsIn(db),
    instanceProfiles: instanceProfilesIn(db),
    loginProfiles: loginProfilesIn(db),
    milestones: milestonesIn(db),
    nodes: { ...nodesIn(db), ...nodePresenceIn(db) },
    profileAssociations: profileAssociationsIn(db),
    roles: rolesIn(db),
    ownerPolicies: ownerPoliciesIn(db),
    policies: policiesIn(db),
    secrets: secretsIn(db),
    sessions: { ...sessionsIn(db), ...sessionEndIn(db), ...sessionTokensIn(db) },
    tags: tagsIn(db),
    tasks: tasksIn(db),
    users: usersIn(db),
    close: () => db.destroy(),
  }
}
