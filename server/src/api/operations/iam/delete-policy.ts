import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { deleteConflict } from './errors.ts'
import { getOwnPolicy, noSuchPolicy, policyAccess } from './managed-policies.ts'

export const deletePolicy = operation({
  input: iamOperations.DeletePolicy.input,
  callers: ['person'],
  access: ({ PolicyArn }, context) => policyAccess(context, PolicyArn),
  // Sessions of roles may have it as a session policy, which is no attachment.
  changesAccess: true,
  run: async (context, { PolicyArn }) => {
    await getOwnPolicy(context, PolicyArn)
    switch (await context.store.policies.remove(context.scope, PolicyArn)) {
      case 'absent':
        throw noSuchPolicy(PolicyArn)
      case 'attached':
        throw deleteConflict('Cannot delete a policy attached to entities.')
      case 'has-versions':
        throw deleteConflict(
          "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
        )
      case 'removed':
        return {}
    }
  },
})
