import type { InstanceProfile } from '@sallyport/protocol/api/iam-roles'
import type { AwsError } from '@sallyport/protocol/aws/error'
import type { AccessCheck, ConditionValues } from '@sallyport/server/iam/access-plan'
import { instanceProfileArn } from '@sallyport/server/iam/arns'
import { PROFILE_TAGS } from '@sallyport/server/store/instance-profiles'
import type { InstanceProfileRow, RoleRow } from '@sallyport/server/store/schema'
import type { OperationContext } from '../../operation.ts'
import { noSuchEntity } from './errors.ts'
import { roleSummary } from './roles.ts'
import { ownTagConditions, type Tagged } from './tags.ts'

export const PROFILE: Tagged = { type: PROFILE_TAGS, noun: 'instance profile', caseSensitive: true }

/** IAM User Guide, "IAM and AWS STS quotas". */
export const MAXIMUM_PROFILES = 1000

/** What an operation on one instance profile asks of policies. */
export async function profileCheck(
  context: OperationContext,
  profileName: string,
  conditions: ConditionValues = {},
): Promise<AccessCheck> {
  const profile = await context.store.instanceProfiles.get(context.scope, profileName)
  const tags = profile === undefined ? {} : await ownTagConditions(context, PROFILE, profileName)
  return {
    resource: instanceProfileArn(context, profile?.path ?? '/', profileName),
    shown: instanceProfileArn(context, '/', profileName),
    conditions: { ...tags, ...conditions },
  }
}

/** Throws `NoSuchEntity`. */
export async function findProfile(
  { store, scope }: OperationContext,
  profileName: string,
): Promise<InstanceProfileRow> {
  const profile = await store.instanceProfiles.get(scope, profileName)
  if (profile === undefined) throw noSuchProfile(profileName)
  return profile
}

export function noSuchProfile(profileName: string): AwsError {
  return noSuchEntity(`Instance Profile ${profileName} cannot be found.`)
}

/** As IAM shows them, in the same order. */
export async function describeProfiles(
  context: OperationContext,
  profiles: readonly InstanceProfileRow[],
): Promise<InstanceProfile[]> {
  const roles = new Map<string, RoleRow>()
  if (profiles.some(({ roleName }) => roleName !== null)) {
    for (const role of await context.store.roles.list(context.scope)) roles.set(role.roleName, role)
  }
  return profiles.map(profile => {
    const role = profile.roleName === null ? undefined : roles.get(profile.roleName)
    return {
      Path: profile.path,
      InstanceProfileName: profile.profileName,
      InstanceProfileId: profile.profileId,
      Arn: instanceProfileArn(context, profile.path, profile.profileName),
      CreateDate: new Date(profile.createdAt),
      Roles: role === undefined ? [] : [roleSummary(context, role)],
    }
  })
}

/** One with its tags. */
export async function profileDetail(
  context: OperationContext,
  profile: InstanceProfileRow,
): Promise<InstanceProfile> {
  const { store, scope } = context
  const [described] = await describeProfiles(context, [profile])
  if (described === undefined) throw new Error('a profile was not described')
  return { ...described, Tags: await store.tags.list(scope, PROFILE_TAGS, profile.profileName) }
}
