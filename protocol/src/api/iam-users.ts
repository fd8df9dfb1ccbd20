import { s } from '../aws/shape.ts'
import {
  type AttachedBoundary,
  arn,
  groupName,
  newUserName,
  type PageOutput,
  pageMembers,
  path,
  pathPrefix,
  tagKeyList,
  tagList,
  userName,
} from './iam-types.ts'
import type { Tag } from './tags.ts'

// control-plane.md 29: users, their keys and passwords, groups, the account.

const ofUser = { UserName: userName }
const ofGroup = { GroupName: groupName }
const justUser = s.structure(ofUser, { required: ['UserName'] })
const justGroup = s.structure(ofGroup, { required: ['GroupName'] })
const member = s.structure({ ...ofGroup, ...ofUser }, { required: ['GroupName', 'UserName'] })
const accessKeyId = s.string({ min: 16, max: 128, pattern: '[\\w]+' })
const password = s.string({
  min: 1,
  max: 128,
  pattern: '[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+',
  sensitive: true,
})

const users = {
  CreateUser: {
    input: s.structure(
      { UserName: newUserName, Path: path, PermissionsBoundary: arn, Tags: tagList },
      { required: ['UserName'] },
    ),
  },
  GetUser: { input: s.structure(ofUser) },
  ListUsers: { input: s.structure({ PathPrefix: pathPrefix, ...pageMembers }) },
  UpdateUser: {
    input: s.structure({ ...ofUser, NewUserName: newUserName, NewPath: path }, { required: ['UserName'] }),
  },
  DeleteUser: { input: justUser },
  PutUserPermissionsBoundary: {
    input: s.structure(
      { ...ofUser, PermissionsBoundary: arn },
      { required: ['UserName', 'PermissionsBoundary'] },
    ),
  },
  DeleteUserPermissionsBoundary: { input: justUser },
  TagUser: { input: s.structure({ ...ofUser, Tags: tagList }, { required: ['UserName', 'Tags'] }) },
  UntagUser: {
    input: s.structure({ ...ofUser, TagKeys: tagKeyList }, { required: ['UserName', 'TagKeys'] }),
  },
  ListUserTags: { input: s.structure({ ...ofUser, ...pageMembers }, { required: ['UserName'] }) },
} as const

const accessKeys = {
  CreateAccessKey: { input: s.structure(ofUser) },
  ListAccessKeys: { input: s.structure({ ...ofUser, ...pageMembers }) },
  UpdateAccessKey: {
    input: s.structure(
      { ...ofUser, AccessKeyId: accessKeyId, Status: s.string({ enum: ['Active', 'Inactive'] }) },
      { required: ['AccessKeyId', 'Status'] },
    ),
  },
  DeleteAccessKey: {
    input: s.structure({ ...ofUser, AccessKeyId: accessKeyId }, { required: ['AccessKeyId'] }),
  },
  GetAccessKeyLastUsed: {
    input: s.structure({ AccessKeyId: accessKeyId }, { required: ['AccessKeyId'] }),
  },
} as const

const groups = {
  CreateGroup: { input: s.structure({ ...ofGroup, Path: path }, { required: ['GroupName'] }) },
  GetGroup: { input: s.structure({ ...ofGroup, ...pageMembers }, { required: ['GroupName'] }) },
  ListGroups: { input: s.structure({ PathPrefix: pathPrefix, ...pageMembers }) },
  UpdateGroup: {
    input: s.structure({ ...ofGroup, NewGroupName: groupName, NewPath: path }, { required: ['GroupName'] }),
  },
  DeleteGroup: { input: justGroup },
  AddUserToGroup: { input: member },
  RemoveUserFromGroup: { input: member },
  ListGroupsForUser: { input: s.structure({ ...ofUser, ...pageMembers }, { required: ['UserName'] }) },
} as const

const passwords = {
  CreateLoginProfile: {
    input: s.structure(
      { ...ofUser, Password: password, PasswordResetRequired: s.boolean() },
      { required: ['Password'] },
    ),
  },
  GetLoginProfile: { input: s.structure(ofUser) },
  UpdateLoginProfile: {
    input: s.structure(
      { ...ofUser, Password: password, PasswordResetRequired: s.boolean() },
      { required: ['UserName'] },
    ),
  },
  DeleteLoginProfile: { input: s.structure(ofUser) },
  ChangePassword: {
    input: s.structure(
      { OldPassword: password, NewPassword: password },
      { required: ['OldPassword', 'NewPassword'] },
    ),
  },
} as const

const account = {
  GetAccountPasswordPolicy: { input: s.structure({}) },
  GetAccountSummary: { input: s.structure({}) },
  ListAccountAliases: { input: s.structure(pageMembers) },
} as const

export const iamUserOperations = { ...users, ...accessKeys, ...groups, ...passwords, ...account } as const

/** Tags and a boundary are told by GetUser and CreateUser, not by lists. */
export type User = {
  readonly Path: string
  readonly UserName: string
  readonly UserId: string
  readonly Arn: string
  readonly CreateDate: Date
  readonly PermissionsBoundary?: AttachedBoundary | undefined
  readonly Tags?: readonly Tag[] | undefined
}

export type Group = {
  readonly Path: string
  readonly GroupName: string
  readonly GroupId: string
  readonly Arn: string
  readonly CreateDate: Date
}

export type AccessKeyMetadata = {
  readonly UserName: string
  readonly AccessKeyId: string
  readonly Status: 'Active' | 'Inactive'
  readonly CreateDate: Date
}

export type LoginProfile = {
  readonly UserName: string
  readonly CreateDate: Date
  readonly PasswordResetRequired: boolean
}

export type UserOutput = { readonly User: User }
export type ListUsersOutput = PageOutput & { readonly Users: readonly User[] }
/** The only time that the secret is told. */
export type CreateAccessKeyOutput = {
  readonly AccessKey: AccessKeyMetadata & { readonly SecretAccessKey: string }
}
export type ListAccessKeysOutput = PageOutput & { readonly AccessKeyMetadata: readonly AccessKeyMetadata[] }
/** `ServiceName` and `Region` are `N/A`, and there is no date, when the key was never used. */
export type GetAccessKeyLastUsedOutput = {
  readonly UserName: string
  readonly AccessKeyLastUsed: {
    readonly LastUsedDate?: Date | undefined
    readonly ServiceName: string
    readonly Region: string
  }
}
export type GroupOutput = { readonly Group: Group }
export type GetGroupOutput = PageOutput & { readonly Group: Group; readonly Users: readonly User[] }
export type ListGroupsOutput = PageOutput & { readonly Groups: readonly Group[] }
export type LoginProfileOutput = { readonly LoginProfile: LoginProfile }
export type GetAccountSummaryOutput = { readonly SummaryMap: ReadonlyMap<string, number> }
