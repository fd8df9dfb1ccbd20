import { iamOperations } from '@sallyport/protocol/api/iam'
import { tagKeyConditions } from '@sallyport/server/iam/tag-conditions'
import { operation } from '../../operation.ts'
import { findProfile, PROFILE, profileCheck } from './instance-profiles.ts'
import { removeTags } from './tags.ts'

/** Keys that the profile does not have are ignored. */
export const untagInstanceProfile = operation({
  input: iamOperations.UntagInstanceProfile.input,
  callers: ['person'],
  access: async ({ InstanceProfileName, TagKeys }, context) => ({
    all: [await profileCheck(context, InstanceProfileName, tagKeyConditions(TagKeys))],
  }),
  changesAccess: true,
  run: async (context, { InstanceProfileName, TagKeys }) => {
    await findProfile(context, InstanceProfileName)
    await removeTags(context, PROFILE, InstanceProfileName, TagKeys)
    return {}
  },
})
