import { s } from '../aws/shape.ts'
import {
  type AttachedBoundary,
  arn,
  instanceProfileName,
  type PageOutput,
  pageMembers,
  path,
  pathPrefix,
  roleName,
  tagKeyList,
  tagList,
} from './iam-types.ts'
import type { Tag } from './tags.ts'

// control-plane.md 29: roles and instance profiles.

const ofRole = { RoleName: roleName }
const ofProfile = { InstanceProfileName: instanceProfileName }
const justRole = s.structure(ofRole, { required: ['RoleName'] })
const justProfile = s.structure(ofProfile, { required: ['InstanceProfileName'] })
const roleInProfile = s.structure(
  { ...ofProfile, ...ofRole },
  { required: ['InstanceProfileName', 'RoleName'] },
)
const document = s.string({ min: 1, max: 131_072, pattern: '[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+' })
const description = s.string({
  max: 1000,
  pattern: '[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*',
})
/** Seconds. */
const maxSessionDuration = s.integer({ min: 3600, max: 43_200 })

const roles = {
  CreateRole: {
    input: s.structure(
      {
        ...ofRole,
        Path: path,
        AssumeRolePolicyDocument: document,
        Description: description,
        MaxSessionDuration: maxSessionDuration,
        PermissionsBoundary: arn,
        Tags: tagList,
      },
      { required: ['RoleName', 'AssumeRolePolicyDocument'] },
    ),
  },
  CreateServiceLinkedRole: {
    input: s.structure(
      {
        AWSServiceName: s.string({ min: 1, max: 128, pattern: '[\\w+=,.@-]+' }),
        Description: description,
        CustomSuffix: s.string({ min: 1, max: 64, pattern: '[\\w+=,.@-]+' }),
      },
      { required: ['AWSServiceName'] },
    ),
  },
  DeleteServiceLinkedRole: { input: justRole },
  GetServiceLinkedRoleDeletionStatus: {
    input: s.structure({ DeletionTaskId: s.string({ min: 1, max: 1000 }) }, { required: ['DeletionTaskId'] }),
  },
  GetRole: { input: justRole },
  ListRoles: { input: s.structure({ PathPrefix: pathPrefix, ...pageMembers }) },
  UpdateRole: {
    input: s.structure(
      { ...ofRole, Description: description, MaxSessionDuration: maxSessionDuration },
      { required: ['RoleName'] },
    ),
  },
  UpdateRoleDescription: {
    input: s.structure({ ...ofRole, Description: description }, { required: ['RoleName', 'Description'] }),
  },
  UpdateAssumeRolePolicy: {
    input: s.structure({ ...ofRole, PolicyDocument: document }, { required: ['RoleName', 'PolicyDocument'] }),
  },
  DeleteRole: { input: justRole },
  PutRolePermissionsBoundary: {
    input: s.structure(
      { ...ofRole, PermissionsBoundary: arn },
      { required: ['RoleName', 'PermissionsBoundary'] },
    ),
  },
  DeleteRolePermissionsBoundary: { input: justRole },
  TagRole: { input: s.structure({ ...ofRole, Tags: tagList }, { required: ['RoleName', 'Tags'] }) },
  UntagRole: {
    input: s.structure({ ...ofRole, TagKeys: tagKeyList }, { required: ['RoleName', 'TagKeys'] }),
  },
  ListRoleTags: { input: s.structure({ ...ofRole, ...pageMembers }, { required: ['RoleName'] }) },
} as const

const instanceProfiles = {
  CreateInstanceProfile: {
    input: s.structure({ ...ofProfile, Path: path, Tags: tagList }, { required: ['InstanceProfileName'] }),
  },
  GetInstanceProfile: { input: justProfile },
  ListInstanceProfiles: { input: s.structure({ PathPrefix: pathPrefix, ...pageMembers }) },
  ListInstanceProfilesForRole: {
    input: s.structure({ ...ofRole, ...pageMembers }, { required: ['RoleName'] }),
  },
  AddRoleToInstanceProfile: { input: roleInProfile },
  RemoveRoleFromInstanceProfile: { input: roleInProfile },
  DeleteInstanceProfile: { input: justProfile },
  TagInstanceProfile: {
    input: s.structure({ ...ofProfile, Tags: tagList }, { required: ['InstanceProfileName', 'Tags'] }),
  },
  UntagInstanceProfile: {
    input: s.structure(
      { ...ofProfile, TagKeys: tagKeyList },
      { required: ['InstanceProfileName', 'TagKeys'] },
    ),
  },
  ListInstanceProfileTags: {
    input: s.structure({ ...ofProfile, ...pageMembers }, { required: ['InstanceProfileName'] }),
  },
} as const

export const iamRoleOperations = { ...roles, ...instanceProfiles } as const

/** Tags, a boundary and the last use are told by GetRole, not by lists. */
export type Role = {
  readonly Path: string
  readonly RoleName: string
  readonly RoleId: string
  readonly Arn: string
  readonly CreateDate: Date
  /** Percent-encoded. */
  readonly AssumeRolePolicyDocument: string
  readonly Description?: string | undefined
  /** Seconds. */
  readonly MaxSessionDuration?: number | undefined
  readonly PermissionsBoundary?: AttachedBoundary | undefined
  readonly Tags?: readonly Tag[] | undefined
  /** Empty when it was never used. */
  readonly RoleLastUsed?: { readonly LastUsedDate?: Date; readonly Region?: string } | undefined
}

export type InstanceProfile = {
  readonly Path: string
  readonly InstanceProfileName: string
  readonly InstanceProfileId: string
  readonly Arn: string
  readonly CreateDate: Date
  /** One at most. */
  readonly Roles: readonly Role[]
  readonly Tags?: readonly Tag[] | undefined
}

export type RoleOutput = { readonly Role: Role }
export type DeleteServiceLinkedRoleOutput = { readonly DeletionTaskId: string }
export type GetServiceLinkedRoleDeletionStatusOutput = { readonly Status: 'SUCCEEDED' }
export type ListRolesOutput = PageOutput & { readonly Roles: readonly Role[] }
export type InstanceProfileOutput = { readonly InstanceProfile: InstanceProfile }
export type ListInstanceProfilesOutput = PageOutput & {
  readonly InstanceProfiles: readonly InstanceProfile[]
}
