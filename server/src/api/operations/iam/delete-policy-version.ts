import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { deleteConflict } from './errors.ts'
import { getOwnPolicy, noSuchPolicy, noSuchVersion, policyAccess, versionOf } from './managed-policies.ts'

export const deletePolicyVersion = operation({
  input: iamOperations.DeletePolicyVersion.input,
  callers: ['person'],
  access: ({ PolicyArn }, context) => policyAccess(context, PolicyArn),
  run: async (context, { PolicyArn, VersionId }) => {
    const { store, scope, now } = context
    await getOwnPolicy(context, PolicyArn)
    const version = versionOf(VersionId)
    const removed = version && (await store.policies.removeVersion(scope, PolicyArn, version, now))
    if (removed === 'is-default') throw deleteConflict('Cannot delete the default version of a policy.')
    if (removed === 'absent') throw noSuchPolicy(PolicyArn)
    if (removed !== 'removed') throw noSuchVersion(PolicyArn, VersionId)
    return {}
  },
})
