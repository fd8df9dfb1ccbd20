import type { InlinePolicy, ListInlinePoliciesOutput } from '@sallyport/protocol/api/iam-policies'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { Owner } from '@sallyport/server/store/owner-policies'
import type { OperationContext } from '../../operation.ts'
import { checkDocument, encodeDocument } from './documents.ts'
import { iamPage } from './pages.ts'
import { checkOwner, checkOwnerToChange, noSuchInline, noSuchOwner } from './policy-owners.ts'

/** Characters without white space, of all of an owner's own policies together (IAM User Guide, "IAM and AWS STS quotas"). */
export const MAXIMUM_SIZES = { user: 2_048, group: 5_120, role: 10_240 }

export async function putPolicy(
  context: OperationContext,
  owner: Owner,
  { PolicyName: policyName, PolicyDocument: document }: { PolicyName: string; PolicyDocument: string },
): Promise<object> {
  await checkOwnerToChange(context, owner)
  const maximum = MAXIMUM_SIZES[owner.ownerType]
  checkDocument(document)
  const { store, scope } = context
  switch (await store.ownerPolicies.putInline(scope, { ...owner, policyName, document }, maximum)) {
    case 'no-owner':
      throw noSuchOwner(owner)
    case 'too-large':
      throw tooLarge(owner, maximum)
    case 'put':
      return {}
  }
}

export async function getInlinePolicy(
  context: OperationContext,
  owner: Owner,
  policyName: string,
): Promise<InlinePolicy> {
  await checkOwner(context, owner)
  const policy = await context.store.ownerPolicies.getInline(context.scope, owner, policyName)
  if (policy === undefined) throw noSuchInline(owner, policyName)
  return { PolicyName: policyName, PolicyDocument: encodeDocument(policy.document) }
}

export async function deleteInlinePolicy(
  context: OperationContext,
  owner: Owner,
  policyName: string,
): Promise<object> {
  await checkOwnerToChange(context, owner)
  if (!(await context.store.ownerPolicies.removeInline(context.scope, owner, policyName))) {
    throw noSuchInline(owner, policyName)
  }
  return {}
}

/** By name. */
export async function listInlinePolicies(
  context: OperationContext,
  owner: Owner,
  page: { Marker?: string | undefined; MaxItems?: number | undefined },
): Promise<ListInlinePoliciesOutput> {
  await checkOwner(context, owner)
  const { inline } = await context.store.ownerPolicies.of(context.scope, owner.ownerType, [owner.ownerName])
  const names = inline.map(({ policyName }) => policyName)
  const { page: told, ...rest } = iamPage(names, page, name => name)
  return { PolicyNames: told, ...rest }
}

function tooLarge({ ownerType, ownerName }: Owner, maximum: number): AwsError {
  const message = `Maximum policy size of ${maximum} bytes exceeded for ${ownerType} ${ownerName}`
  return new AwsError('LimitExceeded', message, { status: 409 })
}
