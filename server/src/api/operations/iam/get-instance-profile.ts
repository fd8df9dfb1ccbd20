import { iamOperations } from '@sallyport/protocol/api/iam'
import type { InstanceProfileOutput } from '@sallyport/protocol/api/iam-roles'
import { operation } from '../../operation.ts'
import { findProfile, profileCheck, profileDetail } from './instance-profiles.ts'

export const getInstanceProfile = operation({
  input: iamOperations.GetInstanceProfile.input,
  callers: ['person'],
  access: async ({ InstanceProfileName }, context) => ({
    all: [await profileCheck(context, InstanceProfileName)],
  }),
  run: async (context, { InstanceProfileName }): Promise<InstanceProfileOutput> => ({
    InstanceProfile: await profileDetail(context, await findProfile(context, InstanceProfileName)),
  }),
})
