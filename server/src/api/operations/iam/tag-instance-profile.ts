import { iamOperations } from '@sallyport/protocol/api/iam'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import { operation } from '../../operation.ts'
import { findProfile, PROFILE, profileCheck } from './instance-profiles.ts'
import { addTags } from './tags.ts'

export const tagInstanceProfile = operation({
  input: iamOperations.TagInstanceProfile.input,
  callers: ['person'],
  access: async ({ InstanceProfileName, Tags }, context) => ({
    all: [await profileCheck(context, InstanceProfileName, requestTagConditions(Tags))],
  }),
  changesAccess: true,
  run: async (context, { InstanceProfileName, Tags }) => {
    await findProfile(context, InstanceProfileName)
    await addTags(context, PROFILE, InstanceProfileName, Tags)
    return {}
  },
})
