import { iamOperations } from '@sallyport/protocol/api/iam'
import type { ListInstanceProfilesOutput } from '@sallyport/protocol/api/iam-roles'
import { instanceProfileArn } from '@sallyport/server/iam/arns'
import { operation } from '../../operation.ts'
import { describeProfiles } from './instance-profiles.ts'
import { iamPage } from './pages.ts'

export const listInstanceProfiles = operation({
  input: iamOperations.ListInstanceProfiles.input,
  callers: ['person'],
  access: ({ PathPrefix = '/' }, context) => ({
    all: [{ resource: instanceProfileArn(context, PathPrefix, '') }],
  }),
  run: async (context, { PathPrefix = '/', ...paging }): Promise<ListInstanceProfilesOutput> => {
    const profiles = (await context.store.instanceProfiles.list(context.scope)).filter(({ path }) =>
      path.startsWith(PathPrefix),
    )
    const { page, ...more } = iamPage(profiles, paging, ({ profileName }) => profileName)
    return { InstanceProfiles: await describeProfiles(context, page), ...more }
  },
})
