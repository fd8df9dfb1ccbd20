import { iamOperations } from '@sallyport/protocol/api/iam'
import type { GetAccountSummaryOutput } from '@sallyport/protocol/api/iam-users'
import { MAXIMUM_KEYS_PER_USER } from '@sallyport/server/store/access-keys'
import { MAXIMUM_GROUPS, MAXIMUM_GROUPS_PER_USER } from '@sallyport/server/store/groups'
import { MAXIMUM_USERS } from '@sallyport/server/store/users'
import { operation } from '../../operation.ts'
import { MAXIMUM_ATTACHED } from './attachments.ts'
import { MAXIMUM_POLICIES } from './create-policy.ts'
import { MAXIMUM_VERSIONS } from './create-policy-version.ts'
import { MAXIMUM_MANAGED_SIZE } from './documents.ts'
import { MAXIMUM_SIZES } from './inline-policies.ts'
import { MAXIMUM_PROFILES } from './instance-profiles.ts'
import { MAXIMUM_ROLES } from './roles.ts'
import { MAXIMUM_TRUST_POLICY } from './trust-policy.ts'

/** What there is, and what there may be. */
export const getAccountSummary = operation({
  input: iamOperations.GetAccountSummary.input,
  callers: ['person'],
  run: async ({ store, scope }): Promise<GetAccountSummaryOutput> => {
    const [users, groups, roles, policies, profiles] = await Promise.all([
      store.users.count(scope),
      store.groups.list(scope),
      store.roles.list(scope),
      store.policies.list(scope),
      store.instanceProfiles.list(scope),
    ])
    const counts = {
      Users: users,
      Groups: groups.length,
      Roles: roles.length,
      Policies: policies.length,
      InstanceProfiles: profiles.length,
    }
    return { SummaryMap: new Map(Object.entries({ ...counts, ...QUOTAS, ...NONE })) }
  },
})

const QUOTAS = {
  UsersQuota: MAXIMUM_USERS,
  GroupsQuota: MAXIMUM_GROUPS,
  RolesQuota: MAXIMUM_ROLES,
  PoliciesQuota: MAXIMUM_POLICIES,
  InstanceProfilesQuota: MAXIMUM_PROFILES,
  AccessKeysPerUserQuota: MAXIMUM_KEYS_PER_USER,
  GroupsPerUserQuota: MAXIMUM_GROUPS_PER_USER,
  VersionsPerPolicyQuota: MAXIMUM_VERSIONS,
  AttachedPoliciesPerUserQuota: MAXIMUM_ATTACHED,
  AttachedPoliciesPerGroupQuota: MAXIMUM_ATTACHED,
  AttachedPoliciesPerRoleQuota: MAXIMUM_ATTACHED,
  PolicySizeQuota: MAXIMUM_MANAGED_SIZE,
  UserPolicySizeQuota: MAXIMUM_SIZES.user,
  GroupPolicySizeQuota: MAXIMUM_SIZES.group,
  RolePolicySizeQuota: MAXIMUM_SIZES.role,
  AssumeRolePolicySizeQuota: MAXIMUM_TRUST_POLICY,
}

/** What AWS counts and there is not here: a root user, its keys and devices. */
const NONE = {
  AccountMFAEnabled: 0,
  AccountAccessKeysPresent: 0,
  AccountPasswordPresent: 0,
  AccountSigningCertificatesPresent: 0,
  MFADevices: 0,
  MFADevicesInUse: 0,
  Providers: 0,
  ServerCertificates: 0,
}
