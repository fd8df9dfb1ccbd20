import { iamOperations } from '@sallyport/protocol/api/iam'
import type { ListInstanceProfilesOutput } from '@sallyport/protocol/api/iam-roles'
import { operation } from '../../operation.ts'
import { describeProfiles } from './instance-profiles.ts'
import { iamPage } from './pages.ts'
import { findRole, roleAccess } from './roles.ts'

export const listInstanceProfilesForRole = operation({
  input: iamOperations.ListInstanceProfilesForRole.input,
  callers: ['person'],
  access: ({ RoleName }, context) => roleAccess(context, RoleName),
  run: async (context, { RoleName, ...paging }): Promise<ListInstanceProfilesOutput> => {
    await findRole(context, RoleName)
    const profiles = await context.store.instanceProfiles.forRole(context.scope, RoleName)
    const { page, ...more } = iamPage(profiles, paging, ({ profileName }) => profileName)
    return { InstanceProfiles: await describeProfiles(context, page), ...more }
  },
})
