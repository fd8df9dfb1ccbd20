import { iamOperations } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { noSuchEntity } from './errors.ts'
import { findOwnRole, roleAccess } from './roles.ts'

export const deleteRolePermissionsBoundary = operation({
  input: iamOperations.DeleteRolePermissionsBoundary.input,
  callers: ['person'],
  // Of the boundary that goes: who may hand out rights within one boundary must not take it away.
  access: ({ RoleName }, context) =>
    roleAccess(context, RoleName, role =>
      role?.permissionsBoundary ? { 'iam:PermissionsBoundary': role.permissionsBoundary } : {},
    ),
  changesAccess: true,
  run: async (context, { RoleName }) => {
    const { permissionsBoundary } = await findOwnRole(context, RoleName)
    if (permissionsBoundary === null) {
      throw noSuchEntity(`The role with name ${RoleName} has no permissions boundary.`)
    }
    await context.store.roles.setBoundary(context.scope, RoleName, null)
    return {}
  },
})
