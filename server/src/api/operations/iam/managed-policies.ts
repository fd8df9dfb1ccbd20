import type { Policy, PolicyVersion } from '@sallyport/protocol/api/iam-policies'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { AccessPlan, ConditionValues } from '@sallyport/server/iam/access-plan'
import { type AwsManagedPolicy, awsManagedPolicies } from '@sallyport/server/iam/aws-managed-policies'
import { POLICY_TAGS } from '@sallyport/server/store/policies'
import type { PolicyUse } from '@sallyport/server/store/policy-use'
import type { ManagedPolicyRow } from '@sallyport/server/store/schema'
import type { OperationContext } from '../../operation.ts'
import { encodeDocument } from './documents.ts'
import { noSuchEntity } from './errors.ts'
import { ownTagConditions, type Tagged } from './tags.ts'

/** Tag keys of policies differ by case, those of users and roles do not (IAM User Guide, "Tags for IAM resources"). */
export const POLICY: Tagged = { type: POLICY_TAGS, noun: 'policy', caseSensitive: true }

/** A managed policy, whether AWS's or the account's own. */
export type KnownPolicy = ManagedPolicyRow | AwsManagedPolicy

/** Whether it is one of AWS's, which nobody can change. */
export function isAws(policy: KnownPolicy): policy is AwsManagedPolicy {
  return !('latestVersion' in policy)
}

export async function findPolicy(
  { store, scope, partition }: OperationContext,
  policyArn: string,
): Promise<KnownPolicy | undefined> {
  const aws = awsManagedPolicies(partition).find(policy => policy.policyArn === policyArn)
  return aws ?? (await store.policies.get(scope, policyArn))
}

/** Throws `NoSuchEntity`. */
export async function getKnownPolicy(context: OperationContext, policyArn: string): Promise<KnownPolicy> {
  const policy = await findPolicy(context, policyArn)
  if (policy === undefined) throw noSuchPolicy(policyArn)
  return policy
}

/** Of the account itself; throws `UnmodifiableEntity` for AWS's, `NoSuchEntity` for what is not there. */
export async function getOwnPolicy(context: OperationContext, policyArn: string): Promise<ManagedPolicyRow> {
  const policy = await getKnownPolicy(context, policyArn)
  if (!isAws(policy)) return policy
  throw new AwsError(
    'UnmodifiableEntity',
    `Policy ${policyArn} is managed by AWS and cannot be changed. Make a policy of your own (CreatePolicy) with what you need of it.`,
  )
}

export function noSuchPolicy(policyArn: string): AwsError {
  return noSuchEntity(`Policy ${policyArn} was not found.`)
}

export function noSuchVersion(policyArn: string, versionId: string): AwsError {
  return noSuchEntity(`Policy ${policyArn} version ${versionId} does not exist or is not attachable.`)
}

/** What operations on one managed policy need: the policy by its ARN, with its tags. */
export async function policyAccess(
  context: OperationContext,
  policyArn: string,
  conditions: ConditionValues = {},
): Promise<AccessPlan> {
  const tags = await ownTagConditions(context, POLICY, policyArn.slice(policyArn.lastIndexOf('/') + 1))
  return { all: [{ resource: policyArn, conditions: { ...tags, ...conditions } }] }
}

export function policyOutput(policy: KnownPolicy, use: PolicyUse | undefined): Policy {
  return {
    PolicyName: policy.policyName,
    PolicyId: policy.policyId,
    Arn: policy.policyArn,
    Path: policy.path,
    DefaultVersionId: versionIdOf(policy.defaultVersion),
    AttachmentCount: use?.attachments ?? 0,
    PermissionsBoundaryUsageCount: use?.boundaries ?? 0,
    IsAttachable: true,
    CreateDate: new Date(policy.createdAt),
    UpdateDate: new Date(policy.updatedAt),
  }
}

export type KnownVersion = { version: number; document: string; createdAt: number; isDefault: boolean }

/** Newest first. Of AWS's policies there is the default one alone. */
export async function versionsOf(context: OperationContext, policy: KnownPolicy): Promise<KnownVersion[]> {
  if (isAws(policy)) {
    const { defaultVersion: version, document, updatedAt: createdAt } = policy
    return [{ version, document, createdAt, isDefault: true }]
  }
  const rows = await context.store.policies.versions(context.scope, policy.policyName)
  return rows.map(row => ({ ...row, isDefault: row.version === policy.defaultVersion }))
}

export function versionOutput(
  { version, document, createdAt, isDefault }: KnownVersion,
  withDocument: boolean,
): PolicyVersion {
  return {
    ...(withDocument ? { Document: encodeDocument(document) } : {}),
    VersionId: versionIdOf(version),
    IsDefaultVersion: isDefault,
    CreateDate: new Date(createdAt),
  }
}

export function versionIdOf(version: number): string {
  return `v${version}`
}

/** Undefined for ids of a form that is allowed but never given, such as `v1.beta`. */
export function versionOf(versionId: string): number | undefined {
  const [, number] = /^v(\d+)$/.exec(versionId) ?? []
  return number === undefined ? undefined : Number(number)
}
