import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { passRoleCheck } from '../../pass-role.ts'
import { quotaExceeded } from './errors.ts'
import { findProfile, noSuchProfile, profileCheck } from './instance-profiles.ts'
import { findOwnRole, noSuchRole } from './roles.ts'

export const addRoleToInstanceProfile = operation({
  input: iamOperations.AddRoleToInstanceProfile.input,
  callers: ['person'],
  access: async ({ InstanceProfileName, RoleName }, context) => ({
    all: [
      await profileCheck(context, InstanceProfileName),
      await passRoleCheck(context, RoleName, 'ec2.amazonaws.com'),
    ],
  }),
  changesAccess: true,
  run: async (context, { InstanceProfileName, RoleName }) => {
    const { store, scope } = context
    await findProfile(context, InstanceProfileName)
    await findOwnRole(context, RoleName)
    const outcome = await store.instanceProfiles.setRole(scope, InstanceProfileName, RoleName)
    switch (outcome) {
      case 'set':
        return {}
      case 'no-profile':
        throw noSuchProfile(InstanceProfileName)
      case 'no-role':
        throw noSuchRole(RoleName)
      case 'occupied':
        throw quotaExceeded('InstanceSessionsPerInstanceProfile', 1)
      default:
        return outcome satisfies never
    }
  },
})
