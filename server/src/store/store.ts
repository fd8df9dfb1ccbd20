import type { Kysely } from 'kysely'
import { accessKeysIn } from './access-keys.ts'
import { activationsIn } from './activations.ts'
import { commandChangesIn } from './command-changes.ts'
import { commandsIn } from './commands.ts'
import { documentSharesIn } from './document-shares.ts'
import { documentsIn } from './documents.ts'
import { groupsIn } from './groups.ts'
import { instanceProfilesIn } from './instance-profiles.ts'
import { invocationsIn } from './invocations.ts'
import { loginProfilesIn } from './login-profiles.ts'
import { migrateToLatest } from './migrate.ts'
import { milestonesIn } from './milestones.ts'
import { nodePresenceIn } from './node-presence.ts'
import { nodesIn } from './nodes.ts'
import { owedJobsIn } from './owed-jobs.ts'
import { ownerPoliciesIn } from './owner-policies.ts'
import { parameterLabelsIn } from './parameter-labels.ts'
import { parametersIn } from './parameters.ts'
import { policiesIn } from './policies.ts'
import { profileAssociationsIn } from './profile-associations.ts'
import { registrationIn } from './registration.ts'
import { rolesIn } from './roles.ts'
import type { Schema } from './schema.ts'
import { secretsIn } from './secrets.ts'
import { serviceSettingsIn } from './service-settings.ts'
import { sessionEndIn } from './session-end.ts'
import { sessionTokensIn } from './session-tokens.ts'
import { sessionsIn } from './sessions.ts'
import { openSqlite } from './sqlite.ts'
import { stepResultsIn } from './step-results.ts'
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
    commands: commandsIn(db),
    commandChanges: { ...commandChangesIn(db), ...owedJobsIn(db) },
    documents: documentsIn(db),
    documentShares: documentSharesIn(db),
    groups: groupsIn(db),
    instanceProfiles: instanceProfilesIn(db),
    invocations: invocationsIn(db),
    loginProfiles: loginProfilesIn(db),
    milestones: milestonesIn(db),
    nodes: { ...nodesIn(db), ...nodePresenceIn(db) },
    profileAssociations: profileAssociationsIn(db),
    roles: rolesIn(db),
    ownerPolicies: ownerPoliciesIn(db),
    parameters: { ...parametersIn(db), ...parameterLabelsIn(db) },
    policies: policiesIn(db),
    secrets: secretsIn(db),
    serviceSettings: serviceSettingsIn(db),
    sessions: { ...sessionsIn(db), ...sessionEndIn(db), ...sessionTokensIn(db) },
    stepResults: stepResultsIn(db),
    tags: tagsIn(db),
    tasks: tasksIn(db),
    users: usersIn(db),
    close: () => db.destroy(),
  }
}
