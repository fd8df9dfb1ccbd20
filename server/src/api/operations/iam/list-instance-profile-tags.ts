import { iamOperations } from '@sallyport/protocol/api/iam'
import type { ListTagsOutput } from '@sallyport/protocol/api/iam-types'
import { operation } from '../../operation.ts'
import { findProfile, PROFILE, profileCheck } from './instance-profiles.ts'
import { iamPage } from './pages.ts'

export const listInstanceProfileTags = operation({
  input: iamOperations.ListInstanceProfileTags.input,
  callers: ['person'],
  access: async ({ InstanceProfileName }, context) => ({
    all: [await profileCheck(context, InstanceProfileName)],
  }),
  run: async (context, { InstanceProfileName, ...paging }): Promise<ListTagsOutput> => {
    await findProfile(context, InstanceProfileName)
    const tags = await context.store.tags.list(context.scope, PROFILE.type, InstanceProfileName)
    const { page, ...more } = iamPage(tags, paging, ({ Key }) => Key)
    return { Tags: page, ...more }
  },
})
