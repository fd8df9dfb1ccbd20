import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { checkBoundary } from './boundaries.ts'
import { findOwnRole, noSuchRole, roleAccess } from './roles.ts'

export const putRolePermissionsBoundary = operation({
  input: iamOperations.PutRolePermissionsBoundary.input,
  callers: ['person'],
  access: ({ RoleName, PermissionsBoundary }, context) =>
    roleAccess(context, RoleName, () => ({ 'iam:PermissionsBoundary': PermissionsBoundary })),
  changesAccess: true,
  run: async (context, { RoleName, PermissionsBoundary }) => {
    await findOwnRole(context, RoleName)
    await checkBoundary(context, PermissionsBoundary)
    if (!(await context.store.roles.setBoundary(context.scope, RoleName, PermissionsBoundary))) {
      throw noSuchRole(RoleName)
    }
    return {}
  },
})
