import type { Kysely } from 'kysely'
import { inTransaction } from './in-transaction.ts'
import { policyUseIn } from './policy-use.ts'
import type { ManagedPolicyRow, PolicyVersionRow, Schema, Scope } from './schema.ts'
import { type Tag, tagsIn } from './tags.ts'

/** What the tags of managed policies are kept under, by the policy's name. */
export const POLICY_TAGS = 'Policy'

export type NewPolicy = Pick<
  ManagedPolicyRow,
  'policyName' | 'policyId' | 'policyArn' | 'path' | 'description' | 'createdAt'
> & { document: string; tags: Tag[] }

export type NewVersion = { document: string; createdAt: number; setAsDefault: boolean }

/** Policies that an account has made itself. AWS's own are no rows (iam/aws-managed-policies.ts). */
export function policiesIn(db: Kysely<Schema>) {
  return {
    ...policyUseIn(db),

    /** With version 1, the default. Names that differ in case alone are the same name. */
    create(scope: Scope, policy: NewPolicy, maximum: number): Promise<'created' | 'exists' | 'too-many'> {
      return inTransaction(db, async transaction => {
        const { document, tags, ...rest } = policy
        const present = await selectPolicies(transaction, scope).execute()
        const name = policy.policyName.toLowerCase()
        if (present.some(({ policyName }) => policyName.toLowerCase() === name)) return 'exists'
        if (present.length >= maximum) return 'too-many'
        const { accountId, region } = scope
        const row = {
          ...rest,
          accountId,
          region,
          defaultVersion: 1,
          latestVersion: 1,
          updatedAt: rest.createdAt,
        }
        await transaction.insertInto('managedPolicies').values(row).execute()
        await insertVersion(transaction, scope, policy.policyName, 1, document, rest.createdAt)
        await tagsIn(transaction).add(scope, POLICY_TAGS, policy.policyName, tags)
        return 'created'
      })
    },

    get: (scope: Scope, policyArn: string): Promise<ManagedPolicyRow | undefined> =>
      findPolicy(db, scope, policyArn),

    /** By name. */
    list(scope: Scope): Promise<ManagedPolicyRow[]> {
      return selectPolicies(db, scope).orderBy('policyName').execute()
    },

    /** The text of the default version of each policy that there is, by ARN. */
    async documents(scope: Scope, arns: readonly string[]): Promise<Map<string, string>> {
      if (arns.length === 0) return new Map()
      const rows = await db
        .selectFrom('managedPolicies')
        .innerJoin('policyVersions', join =>
          join
            .onRef('policyVersions.accountId', '=', 'managedPolicies.accountId')
            .onRef('policyVersions.region', '=', 'managedPolicies.region')
            .onRef('policyVersions.policyName', '=', 'managedPolicies.policyName')
            .onRef('policyVersions.version', '=', 'managedPolicies.defaultVersion'),
        )
        .select(['managedPolicies.policyArn', 'policyVersions.document'])
        .where('managedPolicies.accountId', '=', scope.accountId)
        .where('managedPolicies.region', '=', scope.region)
        .where('managedPolicies.policyArn', 'in', arns)
        .execute()
      return new Map(rows.map(({ policyArn, document }) => [policyArn, document]))
    },

    /** With its tags and its one version. Not while anybody has it, as policy or as boundary. */
    remove(scope: Scope, policyArn: string): Promise<'removed' | 'absent' | 'attached' | 'has-versions'> {
      return inTransaction(db, async transaction => {
        const policy = await findPolicy(transaction, scope, policyArn)
        if (policy === undefined) return 'absent'
        const use = (await policyUseIn(transaction).usage(scope, [policyArn])).get(policyArn)
        if (use !== undefined) return 'attached'
        const { policyName } = policy
        if ((await selectVersions(transaction, scope, policyName).execute()).length > 1) return 'has-versions'
        await deleteVersions(transaction, scope, policyName).execute()
        await tagsIn(transaction).clear(scope, POLICY_TAGS, policyName)
        await transaction
          .deleteFrom('managedPolicies')
          .where('accountId', '=', scope.accountId)
          .where('region', '=', scope.region)
          .where('policyName', '=', policyName)
          .execute()
        return 'removed'
      })
    },

    /** Newest first. */
    versions(scope: Scope, policyName: string): Promise<PolicyVersionRow[]> {
      return selectVersions(db, scope, policyName).orderBy('version', 'desc').execute()
    },

    /** One more version. Numbers grow for ever: that of a deleted version is not given again. */
    addVersion(
      scope: Scope,
      policyArn: string,
      { document, createdAt, setAsDefault }: NewVersion,
      maximum: number,
    ): Promise<PolicyVersionRow | 'absent' | 'too-many'> {
      return inTransaction(db, async transaction => {
        const policy = await findPolicy(transaction, scope, policyArn)
        if (policy === undefined) return 'absent'
        const { policyName } = policy
        const present = await selectVersions(transaction, scope, policyName).execute()
        if (present.length >= maximum) return 'too-many'
        const latestVersion = policy.latestVersion + 1
        const defaultVersion = setAsDefault ? latestVersion : policy.defaultVersion
        const changes = { latestVersion, defaultVersion, updatedAt: createdAt }
        await updatePolicy(transaction, scope, policyName).set(changes).execute()
        return await insertVersion(transaction, scope, policyName, latestVersion, document, createdAt)
      })
    },

    setDefault(
      scope: Scope,
      policyArn: string,
      version: number,
      now: number,
    ): Promise<'set' | 'absent' | 'no-version'> {
      return inTransaction(db, async transaction => {
        const policy = await findPolicy(transaction, scope, policyArn)
        if (policy === undefined) return 'absent'
        const versions = await selectVersions(transaction, scope, policy.policyName).execute()
        if (!versions.some(row => row.version === version)) return 'no-version'
        const changes = { defaultVersion: version, updatedAt: now }
        await updatePolicy(transaction, scope, policy.policyName).set(changes).execute()
        return 'set'
      })
    },

    removeVersion(
      scope: Scope,
      policyArn: string,
      version: number,
      now: number,
    ): Promise<'removed' | 'absent' | 'no-version' | 'is-default'> {
      return inTransaction(db, async transaction => {
        const policy = await findPolicy(transaction, scope, policyArn)
        if (policy === undefined) return 'absent'
        if (policy.defaultVersion === version) return 'is-default'
        const deletion = deleteVersions(transaction, scope, policy.policyName).where('version', '=', version)
        if (Number((await deletion.executeTakeFirst()).numDeletedRows) === 0) return 'no-version'
        await updatePolicy(transaction, scope, policy.policyName).set({ updatedAt: now }).execute()
        return 'removed'
      })
    },
  }
}

function selectPolicies(db: Kysely<Schema>, scope: Scope) {
  return db
    .selectFrom('managedPolicies')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
}

/** By ARN, all of it: a path is part of what a policy is called. */
export function findPolicy(
  db: Kysely<Schema>,
  scope: Scope,
  policyArn: string,
): Promise<ManagedPolicyRow | undefined> {
  const policyName = policyArn.slice(policyArn.lastIndexOf('/') + 1)
  return selectPolicies(db, scope)
    .where('policyName', '=', policyName)
    .where('policyArn', '=', policyArn)
    .executeTakeFirst()
}

function updatePolicy(db: Kysely<Schema>, scope: Scope, policyName: string) {
  return db
    .updateTable('managedPolicies')
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
    .where('policyName', '=', policyName)
}

function selectVersions(db: Kysely<Schema>, scope: Scope, policyName: string) {
  return db
    .selectFrom('policyVersions')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
    .where('policyName', '=', policyName)
}

function deleteVersions(db: Kysely<Schema>, scope: Scope, policyName: string) {
  return db
    .deleteFrom('policyVersions')
    .where('accountId', '=', scope.accountId)
    .where('region', '=', scope.region)
    .where('policyName', '=', policyName)
}

async function insertVersion(
  db: Kysely<Schema>,
  { accountId, region }: Scope,
  policyName: string,
  version: number,
  document: string,
  createdAt: number,
): Promise<PolicyVersionRow> {
  const row = { accountId, region, policyName, version, document, createdAt }
  await db.insertInto('policyVersions').values(row).execute()
  return row
}
