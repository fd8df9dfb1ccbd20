import { s } from '../aws/shape.ts'
import {
  arn,
  groupName,
  type PageOutput,
  pageMembers,
  path,
  pathPrefix,
  policyName,
  roleName,
  tagKeyList,
  tagList,
  userName,
} from './iam-types.ts'
import type { Tag } from './tags.ts'

// control-plane.md 29: managed and inline policies. Simulation is in iam-simulation.ts.

/** What a document may be at most before its white space is taken away (AWS's model of IAM). */
const MAX_DOCUMENT = 131_072

export const policyDocument = s.string({
  min: 1,
  max: MAX_DOCUMENT,
  pattern: '[\\u0009\\u000A\\u000D\\u0020-\\uFFFF]+',
})
const versionId = s.string({ pattern: 'v[1-9][0-9]{0,8}(\\.[A-Za-z0-9-]{0,64})?' })
const usage = s.string({ enum: ['PermissionsPolicy', 'PermissionsBoundary'] })
const ofPolicy = { PolicyArn: arn }
const justPolicy = s.structure(ofPolicy, { required: ['PolicyArn'] })
const oneVersion = s.structure(
  { ...ofPolicy, VersionId: versionId },
  { required: ['PolicyArn', 'VersionId'] },
)

const managedPolicies = {
  CreatePolicy: {
    input: s.structure(
      {
        PolicyName: policyName,
        Path: path,
        PolicyDocument: policyDocument,
        Description: s.string({ max: 1000 }),
        Tags: tagList,
      },
      { required: ['PolicyName', 'PolicyDocument'] },
    ),
  },
  GetPolicy: { input: justPolicy },
  ListPolicies: {
    input: s.structure({
      Scope: s.string({ enum: ['All', 'AWS', 'Local'] }),
      OnlyAttached: s.boolean(),
      PathPrefix: pathPrefix,
      PolicyUsageFilter: usage,
      ...pageMembers,
    }),
  },
  DeletePolicy: { input: justPolicy },
  CreatePolicyVersion: {
    input: s.structure(
      { ...ofPolicy, PolicyDocument: policyDocument, SetAsDefault: s.boolean() },
      { required: ['PolicyArn', 'PolicyDocument'] },
    ),
  },
  GetPolicyVersion: { input: oneVersion },
  ListPolicyVersions: {
    input: s.structure({ ...ofPolicy, ...pageMembers }, { required: ['PolicyArn'] }),
  },
  SetDefaultPolicyVersion: { input: oneVersion },
  DeletePolicyVersion: { input: oneVersion },
  ListEntitiesForPolicy: {
    input: s.structure(
      {
        ...ofPolicy,
        EntityFilter: s.string({
          enum: ['User', 'Role', 'Group', 'LocalManagedPolicy', 'AWSManagedPolicy'],
        }),
        PathPrefix: pathPrefix,
        PolicyUsageFilter: usage,
        ...pageMembers,
      },
      { required: ['PolicyArn'] },
    ),
  },
  TagPolicy: { input: s.structure({ ...ofPolicy, Tags: tagList }, { required: ['PolicyArn', 'Tags'] }) },
  UntagPolicy: {
    input: s.structure({ ...ofPolicy, TagKeys: tagKeyList }, { required: ['PolicyArn', 'TagKeys'] }),
  },
  ListPolicyTags: { input: s.structure({ ...ofPolicy, ...pageMembers }, { required: ['PolicyArn'] }) },
} as const

const inlineOf = { PolicyName: policyName }
const attachedList = { PathPrefix: pathPrefix, ...pageMembers }

const ofUser = { UserName: userName }
const userPolicies = {
  AttachUserPolicy: {
    input: s.structure({ ...ofUser, ...ofPolicy }, { required: ['UserName', 'PolicyArn'] }),
  },
  DetachUserPolicy: {
    input: s.structure({ ...ofUser, ...ofPolicy }, { required: ['UserName', 'PolicyArn'] }),
  },
  ListAttachedUserPolicies: {
    input: s.structure({ ...ofUser, ...attachedList }, { required: ['UserName'] }),
  },
  PutUserPolicy: {
    input: s.structure(
      { ...ofUser, ...inlineOf, PolicyDocument: policyDocument },
      { required: ['UserName', 'PolicyName', 'PolicyDocument'] },
    ),
  },
  GetUserPolicy: { input: s.structure({ ...ofUser, ...inlineOf }, { required: ['UserName', 'PolicyName'] }) },
  DeleteUserPolicy: {
    input: s.structure({ ...ofUser, ...inlineOf }, { required: ['UserName', 'PolicyName'] }),
  },
  ListUserPolicies: { input: s.structure({ ...ofUser, ...pageMembers }, { required: ['UserName'] }) },
} as const

const ofGroup = { GroupName: groupName }
const groupPolicies = {
  AttachGroupPolicy: {
    input: s.structure({ ...ofGroup, ...ofPolicy }, { required: ['GroupName', 'PolicyArn'] }),
  },
  DetachGroupPolicy: {
    input: s.structure({ ...ofGroup, ...ofPolicy }, { required: ['GroupName', 'PolicyArn'] }),
  },
  ListAttachedGroupPolicies: {
    input: s.structure({ ...ofGroup, ...attachedList }, { required: ['GroupName'] }),
  },
  PutGroupPolicy: {
    input: s.structure(
      { ...ofGroup, ...inlineOf, PolicyDocument: policyDocument },
      { required: ['GroupName', 'PolicyName', 'PolicyDocument'] },
    ),
  },
  GetGroupPolicy: {
    input: s.structure({ ...ofGroup, ...inlineOf }, { required: ['GroupName', 'PolicyName'] }),
  },
  DeleteGroupPolicy: {
    input: s.structure({ ...ofGroup, ...inlineOf }, { required: ['GroupName', 'PolicyName'] }),
  },
  ListGroupPolicies: { input: s.structure({ ...ofGroup, ...pageMembers }, { required: ['GroupName'] }) },
} as const

const ofRole = { RoleName: roleName }
const rolePolicies = {
  AttachRolePolicy: {
    input: s.structure({ ...ofRole, ...ofPolicy }, { required: ['RoleName', 'PolicyArn'] }),
  },
  DetachRolePolicy: {
    input: s.structure({ ...ofRole, ...ofPolicy }, { required: ['RoleName', 'PolicyArn'] }),
  },
  ListAttachedRolePolicies: {
    input: s.structure({ ...ofRole, ...attachedList }, { required: ['RoleName'] }),
  },
  PutRolePolicy: {
    input: s.structure(
      { ...ofRole, ...inlineOf, PolicyDocument: policyDocument },
      { required: ['RoleName', 'PolicyName', 'PolicyDocument'] },
    ),
  },
  GetRolePolicy: { input: s.structure({ ...ofRole, ...inlineOf }, { required: ['RoleName', 'PolicyName'] }) },
  DeleteRolePolicy: {
    input: s.structure({ ...ofRole, ...inlineOf }, { required: ['RoleName', 'PolicyName'] }),
  },
  ListRolePolicies: { input: s.structure({ ...ofRole, ...pageMembers }, { required: ['RoleName'] }) },
} as const

export const iamPolicyOperations = {
  ...managedPolicies,
  ...userPolicies,
  ...groupPolicies,
  ...rolePolicies,
} as const

/** Lists leave out the description and the tags. */
export type Policy = {
  readonly PolicyName: string
  readonly PolicyId: string
  readonly Arn: string
  readonly Path: string
  readonly DefaultVersionId: string
  readonly AttachmentCount: number
  readonly PermissionsBoundaryUsageCount: number
  readonly IsAttachable: boolean
  readonly Description?: string | undefined
  readonly CreateDate: Date
  readonly UpdateDate: Date
  readonly Tags?: readonly Tag[] | undefined
}

/** `Document` is percent-encoded; lists leave it out. */
export type PolicyVersion = {
  readonly Document?: string | undefined
  readonly VersionId: string
  readonly IsDefaultVersion: boolean
  readonly CreateDate: Date
}

export type AttachedPolicy = { readonly PolicyName: string; readonly PolicyArn: string }
/** `PolicyDocument` is percent-encoded. */
export type InlinePolicy = { readonly PolicyName: string; readonly PolicyDocument: string }

export type PolicyOutput = { readonly Policy: Policy }
export type ListPoliciesOutput = PageOutput & { readonly Policies: readonly Policy[] }
export type PolicyVersionOutput = { readonly PolicyVersion: PolicyVersion }
export type ListPolicyVersionsOutput = PageOutput & { readonly Versions: readonly PolicyVersion[] }
export type ListEntitiesForPolicyOutput = PageOutput & {
  readonly PolicyGroups: readonly { readonly GroupName: string; readonly GroupId: string }[]
  readonly PolicyUsers: readonly { readonly UserName: string; readonly UserId: string }[]
  readonly PolicyRoles: readonly { readonly RoleName: string; readonly RoleId: string }[]
}
export type ListAttachedPoliciesOutput = PageOutput & { readonly AttachedPolicies: readonly AttachedPolicy[] }
export type ListInlinePoliciesOutput = PageOutput & { readonly PolicyNames: readonly string[] }
export type GetUserPolicyOutput = InlinePolicy & { readonly UserName: string }
export type GetGroupPolicyOutput = InlinePolicy & { readonly GroupName: string }
export type GetRolePolicyOutput = InlinePolicy & { readonly RoleName: string }
