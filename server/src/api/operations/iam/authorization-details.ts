import type { InlinePolicy } from '@sallyport/protocol/api/iam-policies'
import type {
  GroupDetail,
  PolicyDetail,
  RoleDetail,
  UserDetail,
} from '@sallyport/protocol/api/iam-simulation'
import { groupArn, userArn } from '@sallyport/server/iam/arns'
import type { PolicyOwner, RoleRow, UserGroupRow, UserRow } from '@sallyport/server/store/schema'
import { USER_TAGS } from '@sallyport/server/store/users'
import type { OperationContext } from '../../operation.ts'
import { attachedPolicy } from './attachments.ts'
import { attachedBoundary } from './boundaries.ts'
import { encodeDocument } from './documents.ts'
import { describeProfiles } from './instance-profiles.ts'
import { type KnownPolicy, policyOutput, versionOutput, versionsOf } from './managed-policies.ts'
import { roleDetail as describeRole } from './roles.ts'

// GetAccountAuthorizationDetails: each thing with everything that it has.

export async function userDetail(context: OperationContext, user: UserRow): Promise<UserDetail> {
  const { store, scope } = context
  const { inline, attached } = await policiesOf(context, 'user', user.userName)
  return {
    Path: user.path,
    UserName: user.userName,
    UserId: user.userId,
    Arn: userArn(context, user.path, user.userName),
    CreateDate: new Date(user.createdAt),
    UserPolicyList: inline,
    GroupList: await store.groups.ofUser(scope, user.userName),
    AttachedManagedPolicies: attached,
    PermissionsBoundary: attachedBoundary(user.permissionsBoundary),
    Tags: await store.tags.list(scope, USER_TAGS, user.userName),
  }
}

export async function groupDetail(context: OperationContext, group: UserGroupRow): Promise<GroupDetail> {
  const { inline, attached } = await policiesOf(context, 'group', group.groupName)
  return {
    Path: group.path,
    GroupName: group.groupName,
    GroupId: group.groupId,
    Arn: groupArn(context, group.path, group.groupName),
    CreateDate: new Date(group.createdAt),
    GroupPolicyList: inline,
    AttachedManagedPolicies: attached,
  }
}

export async function roleDetail(context: OperationContext, role: RoleRow): Promise<RoleDetail> {
  const { store, scope } = context
  const { inline, attached } = await policiesOf(context, 'role', role.roleName)
  const described = await describeRole(context, role)
  const profiles = await store.instanceProfiles.forRole(scope, role.roleName)
  return {
    Path: described.Path,
    RoleName: described.RoleName,
    RoleId: described.RoleId,
    Arn: described.Arn,
    CreateDate: described.CreateDate,
    AssumeRolePolicyDocument: described.AssumeRolePolicyDocument,
    InstanceProfileList: await describeProfiles(context, profiles),
    RolePolicyList: inline,
    AttachedManagedPolicies: attached,
    PermissionsBoundary: described.PermissionsBoundary,
    Tags: described.Tags ?? [],
    RoleLastUsed: described.RoleLastUsed ?? {},
  }
}

export async function policyDetail(context: OperationContext, policy: KnownPolicy): Promise<PolicyDetail> {
  const { store, scope } = context
  const usage = await store.policies.usage(scope, [policy.policyArn])
  const versions = await versionsOf(context, policy)
  return {
    ...policyOutput(policy, usage.get(policy.policyArn)),
    Description: policy.description ?? undefined,
    PolicyVersionList: versions.map(version => versionOutput(version, true)),
  }
}

async function policiesOf({ store, scope }: OperationContext, ownerType: PolicyOwner, ownerName: string) {
  const { attached, inline } = await store.ownerPolicies.of(scope, ownerType, [ownerName])
  return {
    attached: attached.map(({ policyArn }) => attachedPolicy(policyArn)),
    inline: inline.map(
      ({ policyName, document }): InlinePolicy => ({
        PolicyName: policyName,
        PolicyDocument: encodeDocument(document),
      }),
    ),
  }
}
