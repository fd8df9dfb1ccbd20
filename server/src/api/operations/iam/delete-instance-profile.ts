import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { deleteConflict } from './errors.ts'
import { noSuchProfile, profileCheck } from './instance-profiles.ts'

/** Nodes that are associated with it do not keep it; their associations go with it. */
export const deleteInstanceProfile = operation({
  input: iamOperations.DeleteInstanceProfile.input,
  callers: ['person'],
  access: async ({ InstanceProfileName }, context) => ({
    all: [await profileCheck(context, InstanceProfileName)],
  }),
  changesAccess: true,
  run: async ({ store, scope }, { InstanceProfileName }) => {
    const outcome = await store.instanceProfiles.remove(scope, InstanceProfileName)
    if (outcome === 'removed') return {}
    if (outcome === 'missing') throw noSuchProfile(InstanceProfileName)
    throw deleteConflict('Cannot delete entity, must remove roles from instance profile first.')
  },
})
