import type { AccessPlan } from '@sallyport/server/iam/access-plan'
import type { NamedPolicy, PolicySet } from '@sallyport/server/iam/policy/decision'
import type { Person } from '@sallyport/server/iam/principal'
import type { OperationContext } from '../../operation.ts'
import { policiesOf } from './context-keys.ts'
import { policyAccess } from './managed-policies.ts'
import { ofGroup, ofRole, ofUser, ownerAccess } from './policy-owners.ts'

/**
 * Which of somebody's policies the caller could not read by the operation that is for that. AWS's simulator tells where
 * statements stand; that they are quoted must be no way to read them.
 */
export async function unreadablePolicies(
  context: OperationContext,
  caller: Person,
  set: PolicySet,
): Promise<ReadonlySet<NamedPolicy>> {
  const unread = new Set<NamedPolicy>()
  for (const policy of policiesOf(set)) {
    const reading = await readingOf(context, policy)
    if (reading === undefined) continue
    const { allowed } = await context.access.decide(caller, reading.plan, reading.action, context.facts)
    if (!allowed) unread.add(policy)
  }
  return unread
}

/** Undefined for what everybody may read: policies of AWS's own. */
async function readingOf(
  context: OperationContext,
  { sourceType, name, owner }: NamedPolicy,
): Promise<{ plan: AccessPlan; action: string } | undefined> {
  if (sourceType === 'user-managed') {
    return { plan: await policyAccess(context, name), action: 'iam:GetPolicyVersion' }
  }
  if (owner === undefined) return undefined
  switch (sourceType) {
    case 'user':
      return { plan: await ownerAccess(context, ofUser(owner)), action: 'iam:GetUserPolicy' }
    case 'group':
      return { plan: await ownerAccess(context, ofGroup(owner)), action: 'iam:GetGroupPolicy' }
    case 'role':
      return { plan: await ownerAccess(context, ofRole(owner)), action: 'iam:GetRolePolicy' }
    default:
      return undefined
  }
}
