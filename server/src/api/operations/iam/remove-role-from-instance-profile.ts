import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { noSuchEntity } from './errors.ts'
import { findProfile, profileCheck } from './instance-profiles.ts'

/** Nodes with the profile are without a role from then on. */
export const removeRoleFromInstanceProfile = operation({
  input: iamOperations.RemoveRoleFromInstanceProfile.input,
  callers: ['person'],
  access: async ({ InstanceProfileName }, context) => ({
    all: [await profileCheck(context, InstanceProfileName)],
  }),
  changesAccess: true,
  run: async (context, { InstanceProfileName, RoleName }) => {
    const { store, scope } = context
    await findProfile(context, InstanceProfileName)
    if (await store.instanceProfiles.removeRole(scope, InstanceProfileName, RoleName)) return {}
    throw noSuchEntity(
      `The role with name ${RoleName} is not in the instance profile ${InstanceProfileName}.`,
    )
  },
})
