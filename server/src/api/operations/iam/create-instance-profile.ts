import { iamOperations } from '@sallyport/protocol/api/iam'
import type { InstanceProfileOutput } from '@sallyport/protocol/api/iam-roles'
import { instanceProfileArn } from '@sallyport/server/iam/arns'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import { uniqueId } from '@sallyport/server/iam/unique-id'
import { operation } from '../../operation.ts'
import { alreadyExists, quotaExceeded } from './errors.ts'
import { MAXIMUM_PROFILES, PROFILE, profileDetail } from './instance-profiles.ts'
import { creationAccess, newTags } from './tags.ts'

export const createInstanceProfile = operation({
  input: iamOperations.CreateInstanceProfile.input,
  callers: ['person'],
  // Of its tags may be known already that there are none; nodes may be associated with a former one of that name.
  changesAccess: true,
  access: ({ InstanceProfileName, Path = '/', Tags }, context) => {
    const resource = instanceProfileArn(context, Path, InstanceProfileName)
    return creationAccess(
      { resource, conditions: requestTagConditions(Tags) },
      'iam:TagInstanceProfile',
      Tags,
    )
  },
  run: async (context, { InstanceProfileName, Path = '/', Tags }): Promise<InstanceProfileOutput> => {
    const { store, scope, now } = context
    const profile = {
      profileName: InstanceProfileName,
      profileId: uniqueId('AIPA'),
      path: Path,
      createdAt: now,
    }
    const tags = newTags(PROFILE, Tags)
    const outcome = await store.instanceProfiles.create(scope, profile, { tags, limit: MAXIMUM_PROFILES })
    if (outcome.created !== undefined) {
      return { InstanceProfile: await profileDetail(context, outcome.created) }
    }
    if (outcome.reason === 'taken') {
      throw alreadyExists(`Instance Profile ${InstanceProfileName} already exists.`)
    }
    throw quotaExceeded('InstanceProfilesPerAccount', MAXIMUM_PROFILES)
  },
})
