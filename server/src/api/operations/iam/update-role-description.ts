import { iamOperations } from '@sallyport/protocol/api/iam'
import type { RoleOutput } from '@sallyport/protocol/api/iam-roles'
import { operation } from '../../operation.ts'
import { findOwnRole, findRole, roleAccess, roleDetail } from './roles.ts'

/** UpdateRole as it was before there was more to change. */
export const updateRoleDescription = operation({
  input: iamOperations.UpdateRoleDescription.input,
  callers: ['person'],
  access: ({ RoleName }, context) => roleAccess(context, RoleName),
  run: async (context, { RoleName, Description }): Promise<RoleOutput> => {
    const { store, scope } = context
    await findOwnRole(context, RoleName)
    await store.roles.update(scope, RoleName, { description: Description })
    return { Role: await roleDetail(context, await findRole(context, RoleName)) }
  },
})
