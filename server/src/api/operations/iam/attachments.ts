import type { ListAttachedPoliciesOutput } from '@sallyport/protocol/api/iam-policies'
import type { AccessPlan } from '@sallyport/server/iam/access-plan'
import type { Owner } from '@sallyport/server/store/owner-policies'
import type { OperationContext } from '../../operation.ts'
import { noSuchEntity, quotaExceeded } from './errors.ts'
import { findPolicy, noSuchPolicy } from './managed-policies.ts'
import { iamPage } from './pages.ts'
import { checkOwner, checkOwnerToChange, noSuchOwner, ownerAccess } from './policy-owners.ts'

/** To one owner; what AWS allows on request (IAM User Guide, "IAM and AWS STS quotas"). */
export const MAXIMUM_ATTACHED = 20

const QUOTAS = { user: 'PoliciesPerUser', group: 'PoliciesPerGroup', role: 'PoliciesPerRole' }

/** The condition key iam:PolicyARN decides who may give which policies away. */
export function attachmentAccess(
  context: OperationContext,
  owner: Owner,
  policyArn: string,
): Promise<AccessPlan> {
  return ownerAccess(context, owner, { 'iam:PolicyARN': policyArn })
}

/** What is attached already stays as it is. */
export async function attachPolicy(
  context: OperationContext,
  owner: Owner,
  policyArn: string,
): Promise<object> {
  const { store, scope, now } = context
  await checkOwnerToChange(context, owner)
  // AWS's policies are no rows of the store: it takes them as they are given.
  if ((await findPolicy(context, policyArn)) === undefined) throw notAttachable(policyArn)
  const attachment = { ...owner, policyArn, attachedAt: now }
  switch (await store.ownerPolicies.attach(scope, attachment, MAXIMUM_ATTACHED)) {
    case 'no-owner':
      throw noSuchOwner(owner)
    case 'no-policy':
      throw notAttachable(policyArn)
    case 'too-many':
      throw quotaExceeded(QUOTAS[owner.ownerType], MAXIMUM_ATTACHED)
    case 'attached':
      return {}
  }
}

export async function detachPolicy(
  context: OperationContext,
  owner: Owner,
  policyArn: string,
): Promise<object> {
  await checkOwnerToChange(context, owner)
  if (!(await context.store.ownerPolicies.detach(context.scope, owner, policyArn))) {
    throw noSuchPolicy(policyArn)
  }
  return {}
}

/** By ARN. */
export async function listAttachedPolicies(
  context: OperationContext,
  owner: Owner,
  page: { PathPrefix?: string | undefined; Marker?: string | undefined; MaxItems?: number | undefined },
): Promise<ListAttachedPoliciesOutput> {
  await checkOwner(context, owner)
  const { PathPrefix = '/' } = page
  const { attached } = await context.store.ownerPolicies.of(context.scope, owner.ownerType, [owner.ownerName])
  const arns = attached.map(({ policyArn }) => policyArn).filter(arn => pathOf(arn).startsWith(PathPrefix))
  const { page: told, ...rest } = iamPage(arns, page, arn => arn)
  return { AttachedPolicies: told.map(attachedPolicy), ...rest }
}

export function attachedPolicy(policyArn: string) {
  return { PolicyName: policyArn.slice(policyArn.lastIndexOf('/') + 1), PolicyArn: policyArn }
}

/** `/service-role/` of `arn:aws:iam::aws:policy/service-role/Name`. */
function pathOf(policyArn: string): string {
  return policyArn.slice(policyArn.indexOf('/'), policyArn.lastIndexOf('/') + 1)
}

function notAttachable(policyArn: string) {
  return noSuchEntity(`Policy ${policyArn} does not exist or is not attachable.`)
}
