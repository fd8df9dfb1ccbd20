import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { getOwnPolicy, noSuchPolicy, noSuchVersion, policyAccess, versionOf } from './managed-policies.ts'

export const setDefaultPolicyVersion = operation({
  input: iamOperations.SetDefaultPolicyVersion.input,
  callers: ['person'],
  changesAccess: true,
  access: ({ PolicyArn }, context) => policyAccess(context, PolicyArn),
  run: async (context, { PolicyArn, VersionId }) => {
    const { store, scope, now } = context
    await getOwnPolicy(context, PolicyArn)
    const version = versionOf(VersionId)
    const set = version && (await store.policies.setDefault(scope, PolicyArn, version, now))
    if (set === 'absent') throw noSuchPolicy(PolicyArn)
    if (set !== 'set') throw noSuchVersion(PolicyArn, VersionId)
    return {}
  },
})
