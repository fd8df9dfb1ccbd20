import { s } from '../aws/shape.ts'
import type { AttachedPolicy, InlinePolicy, Policy, PolicyVersion } from './iam-policies.ts'
import { policyDocument } from './iam-policies.ts'
import { type AttachedBoundary, arn, type PageOutput, pageMembers } from './iam-types.ts'
import type { Tag } from './tags.ts'

// control-plane.md 29: what policies allow, and everything that they are.

const MAX_ACTIONS = 200
const MAX_RESOURCES = 200
const MAX_POLICIES = 50
const MAX_ENTRIES = 200
const MAX_VALUES = 100

const policyList = s.list(policyDocument, { max: MAX_POLICIES })
const resourceName = s.string({ min: 1, max: 2048 })

const contextEntry = s.structure(
  {
    ContextKeyName: s.string({ min: 5, max: 256 }),
    ContextKeyValues: s.list(s.string({ max: 2048 }), { max: MAX_VALUES }),
    ContextKeyType: s.string({
      enum: [
        'string',
        'stringList',
        'numeric',
        'numericList',
        'boolean',
        'booleanList',
        'ip',
        'ipList',
        'binary',
        'binaryList',
        'date',
        'dateList',
      ],
    }),
  },
  { required: ['ContextKeyName'] },
)

const question = {
  ActionNames: s.list(s.string({ min: 3, max: 128 }), { max: MAX_ACTIONS }),
  ResourceArns: s.list(resourceName, { max: MAX_RESOURCES }),
  PolicyInputList: policyList,
  PermissionsBoundaryPolicyInputList: policyList,
  ResourcePolicy: policyDocument,
  ResourceOwner: resourceName,
  CallerArn: resourceName,
  ContextEntries: s.list(contextEntry, { max: MAX_ENTRIES }),
  ResourceHandlingOption: s.string({ min: 1, max: 64 }),
  ...pageMembers,
}

export const iamSimulationOperations = {
  SimulatePrincipalPolicy: {
    input: s.structure(
      { PolicySourceArn: arn, ...question },
      { required: ['PolicySourceArn', 'ActionNames'] },
    ),
  },
  SimulateCustomPolicy: { input: s.structure(question, { required: ['PolicyInputList', 'ActionNames'] }) },
  GetContextKeysForPrincipalPolicy: {
    input: s.structure(
      { PolicySourceArn: arn, PolicyInputList: policyList },
      { required: ['PolicySourceArn'] },
    ),
  },
  GetContextKeysForCustomPolicy: {
    input: s.structure({ PolicyInputList: policyList }, { required: ['PolicyInputList'] }),
  },
  GetAccountAuthorizationDetails: {
    input: s.structure({
      Filter: s.list(
        s.string({ enum: ['User', 'Role', 'Group', 'LocalManagedPolicy', 'AWSManagedPolicy'] }),
        { max: 5 },
      ),
      ...pageMembers,
    }),
  },
} as const

export type EvalDecision = 'allowed' | 'explicitDeny' | 'implicitDeny'

/** Both from 1; the end is that of the last character. */
export type Position = { readonly Line: number; readonly Column: number }

/**
 * Where a statement stands. From `PolicyName` on it is more than AWS tells: SDKs pass over elements that they do not know.
 */
export type SimulatedStatement = {
  readonly SourcePolicyId: string
  readonly SourcePolicyType: 'user' | 'group' | 'role' | 'aws-managed' | 'user-managed' | 'none'
  readonly StartPosition?: Position | undefined
  readonly EndPosition?: Position | undefined
  /** Of a managed policy its ARN. */
  readonly PolicyName: string
  /** Whose inline policy it is. */
  readonly PolicyOwner?: string | undefined
  readonly Sid?: string | undefined
  readonly Effect: 'Allow' | 'Deny'
  /** Which kind of policies it is among; all kinds that there are must allow. */
  readonly Layer: 'identity' | 'boundary' | 'session'
  /** As it is written, JSON. */
  readonly StatementText?: string | undefined
}

/** A statement that fits but for its conditions. `Found` is absent where nothing was known of the key. */
export type SimulatedNearMiss = SimulatedStatement & {
  readonly UnmetConditions: readonly {
    readonly Operator: string
    readonly Key: string
    readonly Wanted: readonly string[]
    readonly Found?: readonly string[] | undefined
  }[]
}

export type EvaluationResult = {
  readonly EvalActionName: string
  readonly EvalResourceName: string
  readonly EvalDecision: EvalDecision
  readonly MatchedStatements: readonly SimulatedStatement[]
  readonly MissingContextValues: readonly string[]
  readonly PermissionsBoundaryDecisionDetail?: { readonly AllowedByPermissionsBoundary: boolean } | undefined
  readonly EvalDecisionDetails: ReadonlyMap<string, EvalDecision>
  readonly ResourceSpecificResults?: readonly ResourceSpecificResult[] | undefined
  readonly NearMisses: readonly SimulatedNearMiss[]
}

export type ResourceSpecificResult = {
  readonly EvalResourceName: string
  readonly EvalResourceDecision: EvalDecision
  readonly MatchedStatements: readonly SimulatedStatement[]
  readonly MissingContextValues: readonly string[]
  readonly PermissionsBoundaryDecisionDetail?: { readonly AllowedByPermissionsBoundary: boolean } | undefined
}

export type SimulatePolicyOutput = PageOutput & { readonly EvaluationResults: readonly EvaluationResult[] }
export type GetContextKeysOutput = { readonly ContextKeyNames: readonly string[] }

type Detail = {
  readonly Path: string
  readonly Arn: string
  readonly CreateDate: Date
  readonly AttachedManagedPolicies: readonly AttachedPolicy[]
}
export type UserDetail = Detail & {
  readonly UserName: string
  readonly UserId: string
  readonly UserPolicyList: readonly InlinePolicy[]
  readonly GroupList: readonly string[]
  readonly PermissionsBoundary?: AttachedBoundary | undefined
  readonly Tags: readonly Tag[]
}
export type GroupDetail = Detail & {
  readonly GroupName: string
  readonly GroupId: string
  readonly GroupPolicyList: readonly InlinePolicy[]
}
export type RoleDetail = Detail & {
  readonly RoleName: string
  readonly RoleId: string
  readonly AssumeRolePolicyDocument: string
  readonly InstanceProfileList: readonly object[]
  readonly RolePolicyList: readonly InlinePolicy[]
  readonly PermissionsBoundary?: AttachedBoundary | undefined
  readonly Tags: readonly Tag[]
  readonly RoleLastUsed: { readonly LastUsedDate?: Date | undefined; readonly Region?: string | undefined }
}
export type PolicyDetail = Policy & { readonly PolicyVersionList: readonly PolicyVersion[] }

export type GetAccountAuthorizationDetailsOutput = PageOutput & {
  readonly UserDetailList: readonly UserDetail[]
  readonly GroupDetailList: readonly GroupDetail[]
  readonly RoleDetailList: readonly RoleDetail[]
  readonly Policies: readonly PolicyDetail[]
}
