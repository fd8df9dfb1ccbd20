import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { findOwnRole, noSuchRole, roleAccess } from './roles.ts'
import { checkTrustPolicy } from './trust-policy.ts'

export const updateAssumeRolePolicy = operation({
  input: iamOperations.UpdateAssumeRolePolicy.input,
  callers: ['person'],
  access: ({ RoleName }, context) => roleAccess(context, RoleName),
  changesAccess: true,
  run: async (context, { RoleName, PolicyDocument }) => {
    const { store, scope } = context
    await findOwnRole(context, RoleName)
    checkTrustPolicy(PolicyDocument)
    if (!(await store.roles.update(scope, RoleName, { trustPolicy: PolicyDocument }))) {
      throw noSuchRole(RoleName)
    }
    return {}
  },
})
