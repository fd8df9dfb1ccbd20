import type { Kysely } from 'kysely'
import type { AttachedPolicyRow, RoleRow, Schema, Scope, UserRow } from './schema.ts'

export type PolicyUse = { attachments: number; boundaries: number }

/** Who has a managed policy, AWS's or the account's own. */
export function policyUseIn(db: Kysely<Schema>) {
  const attachments = (scope: Scope, arns: readonly string[] | undefined) => {
    const query = db
      .selectFrom('attachedPolicies')
      .selectAll()
      .where('accountId', '=', scope.accountId)
      .where('region', '=', scope.region)
    return arns === undefined ? query : query.where('policyArn', 'in', arns)
  }

  const bounded = async (scope: Scope, arns: readonly string[] | undefined) => {
    const { accountId, region } = scope
    const users = db
      .selectFrom('users')
      .selectAll()
      .where(({ and }) => and({ accountId, region }))
      .where('permissionsBoundary', 'is not', null)
      .orderBy('userName')
    const roles = db
      .selectFrom('roles')
      .selectAll()
      .where(({ and }) => and({ accountId, region }))
      .where('permissionsBoundary', 'is not', null)
      .orderBy('roleName')
    if (arns === undefined) return { users: await users.execute(), roles: await roles.execute() }
    return {
      users: await users.where('permissionsBoundary', 'in', arns).execute(),
      roles: await roles.where('permissionsBoundary', 'in', arns).execute(),
    }
  }

  return {
    /** How often each policy is used, by ARN; of all policies unless said. What nobody uses is not in it. */
    async usage(scope: Scope, arns?: readonly string[]): Promise<Map<string, PolicyUse>> {
      const found = new Map<string, PolicyUse>()
      if (arns?.length === 0) return found
      const count = (arn: string, what: keyof PolicyUse) => {
        const use = found.get(arn) ?? { attachments: 0, boundaries: 0 }
        use[what] += 1
        found.set(arn, use)
      }
      for (const { policyArn } of await attachments(scope, arns).execute()) count(policyArn, 'attachments')
      const { users, roles } = await bounded(scope, arns)
      for (const { permissionsBoundary } of [...users, ...roles]) {
        if (permissionsBoundary !== null) count(permissionsBoundary, 'boundaries')
      }
      return found
    },

    /** Who has the policy attached, by the owner's kind and name. */
    attachedTo(scope: Scope, policyArn: string): Promise<AttachedPolicyRow[]> {
      return attachments(scope, [policyArn]).orderBy('ownerType').orderBy('ownerName').execute()
    },

    /** Whose boundary the policy is. */
    boundaryOf(scope: Scope, policyArn: string): Promise<{ users: UserRow[]; roles: RoleRow[] }> {
      return bounded(scope, [policyArn])
    },
  }
}
