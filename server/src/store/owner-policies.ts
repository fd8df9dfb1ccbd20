import type { Kysely } from 'kysely'
import { inTransaction } from './in-transaction.ts'
import { findPolicy } from './policies.ts'
import type { AttachedPolicyRow, InlinePolicyRow, PolicyOwner, Schema, Scope } from './schema.ts'

export type Owner = { ownerType: PolicyOwner; ownerName: string }

/** AWS's own policies are no rows: whoever attaches one has looked it up. */
const AWS_POLICY = /^arn:[^:]+:iam::aws:policy\//

const UNLIMITED = Number.MAX_SAFE_INTEGER

/** How long IAM takes a policy to be: white space does not count (IAM User Guide, "IAM and AWS STS quotas"). */
export function policySize(document: string): number {
  return document.replace(/\s+/g, '').length
}

/** The policies of users, groups and roles: those that are attached, by ARN, and their own. */
export function ownerPoliciesIn(db: Kysely<Schema>) {
  return {
    /** Of all the owners, in the order of the policies' ARNs and names. */
    async of(
      scope: Scope,
      ownerType: PolicyOwner,
      ownerNames: readonly string[],
    ): Promise<{ attached: AttachedPolicyRow[]; inline: InlinePolicyRow[] }> {
      if (ownerNames.length === 0) return { attached: [], inline: [] }
      const [attached, inline] = await Promise.all([
        db
          .selectFrom('attachedPolicies')
          .selectAll()
          .where(({ and }) => and({ ...keyOf(scope), ownerType }))
          .where('ownerName', 'in', ownerNames)
          .orderBy('policyArn')
          .execute(),
        db
          .selectFrom('inlinePolicies')
          .selectAll()
          .where(({ and }) => and({ ...keyOf(scope), ownerType }))
          .where('ownerName', 'in', ownerNames)
          .orderBy('policyName')
          .execute(),
      ])
      return { attached, inline }
    },

    /** What is attached already stays as it is. */
    attach(
      scope: Scope,
      attachment: Owner & { policyArn: string; attachedAt: number },
      maximum = UNLIMITED,
    ): Promise<'attached' | 'no-owner' | 'no-policy' | 'too-many'> {
      return inTransaction(db, async transaction => {
        const { ownerType, ownerName, policyArn, attachedAt } = attachment
        if (!(await ownerExists(transaction, scope, attachment))) return 'no-owner'
        const known = AWS_POLICY.test(policyArn) || (await findPolicy(transaction, scope, policyArn))
        if (!known) return 'no-policy'
        const { attached } = await ownerPoliciesIn(transaction).of(scope, ownerType, [ownerName])
        if (attached.some(row => row.policyArn === policyArn)) return 'attached'
        if (attached.length >= maximum) return 'too-many'
        const row = { ...keyOf(scope), ownerType, ownerName, policyArn, attachedAt }
        await transaction.insertInto('attachedPolicies').values(row).execute()
        return 'attached'
      })
    },

    /** False if it was not attached. */
    async detach(scope: Scope, { ownerType, ownerName }: Owner, policyArn: string): Promise<boolean> {
      const { numDeletedRows } = await db
        .deleteFrom('attachedPolicies')
        .where(({ and }) => and({ ...keyOf(scope), ownerType, ownerName, policyArn }))
        .executeTakeFirst()
      return Number(numDeletedRows) > 0
    },

    /** In place of the owner's policy of that name, if any. `maximumSize` is for all of the owner's own together. */
    putInline(
      scope: Scope,
      policy: Owner & { policyName: string; document: string },
      maximumSize = UNLIMITED,
    ): Promise<'put' | 'no-owner' | 'too-large'> {
      return inTransaction(db, async transaction => {
        const { ownerType, ownerName, policyName, document } = policy
        if (!(await ownerExists(transaction, scope, policy))) return 'no-owner'
        const { inline } = await ownerPoliciesIn(transaction).of(scope, ownerType, [ownerName])
        const others = inline.filter(row => row.policyName !== policyName)
        const total = others.reduce((sum, row) => sum + policySize(row.document), policySize(document))
        if (total > maximumSize) return 'too-large'
        await transaction
          .insertInto('inlinePolicies')
          .values({ ...keyOf(scope), ownerType, ownerName, policyName, document })
          .onConflict(conflict =>
            conflict
              .columns(['accountId', 'region', 'ownerType', 'ownerName', 'policyName'])
              .doUpdateSet({ document }),
          )
          .execute()
        return 'put'
      })
    },

    getInline(
      scope: Scope,
      { ownerType, ownerName }: Owner,
      policyName: string,
    ): Promise<InlinePolicyRow | undefined> {
      return db
        .selectFrom('inlinePolicies')
        .selectAll()
        .where(({ and }) => and({ ...keyOf(scope), ownerType, ownerName, policyName }))
        .executeTakeFirst()
    },

    /** False if there was none. */
    async removeInline(scope: Scope, { ownerType, ownerName }: Owner, policyName: string): Promise<boolean> {
      const { numDeletedRows } = await db
        .deleteFrom('inlinePolicies')
        .where(({ and }) => and({ ...keyOf(scope), ownerType, ownerName, policyName }))
        .executeTakeFirst()
      return Number(numDeletedRows) > 0
    },

    /** An owner has a new name; part of the transaction that gives it. */
    rename(scope: Scope, ownerType: PolicyOwner, from: string, to: string): Promise<void> {
      const owner = { ...keyOf(scope), ownerType, ownerName: from }
      return inTransaction(db, async transaction => {
        await transaction
          .updateTable('attachedPolicies')
          .set({ ownerName: to })
          .where(({ and }) => and(owner))
          .execute()
        await transaction
          .updateTable('inlinePolicies')
          .set({ ownerName: to })
          .where(({ and }) => and(owner))
          .execute()
      })
    },
  }
}

async function ownerExists(
  db: Kysely<Schema>,
  scope: Scope,
  { ownerType, ownerName }: Owner,
): Promise<boolean> {
  const found = await ownerQuery(db, scope, ownerType, ownerName)
  return found !== undefined
}

function ownerQuery(db: Kysely<Schema>, scope: Scope, ownerType: PolicyOwner, ownerName: string) {
  switch (ownerType) {
    case 'user':
      return db
        .selectFrom('users')
        .select('userName')
        .where(({ and }) => and({ ...keyOf(scope), userName: ownerName }))
        .executeTakeFirst()
    case 'group':
      return db
        .selectFrom('userGroups')
        .select('groupName')
        .where(({ and }) => and({ ...keyOf(scope), groupName: ownerName }))
        .executeTakeFirst()
    case 'role':
      return db
        .selectFrom('roles')
        .select('roleName')
        .where(({ and }) => and({ ...keyOf(scope), roleName: ownerName }))
        .executeTakeFirst()
  }
}

/** Of what may be a larger object, so much as is part of every key. */
function keyOf({ accountId, region }: Scope): Scope {
  return { accountId, region }
}
