import { iamOperations } from '@sallyport/protocol/api/iam'
import type { RoleOutput } from '@sallyport/protocol/api/iam-roles'
import { operation } from '../../operation.ts'
import { findRole, roleAccess, roleDetail } from './roles.ts'

export const getRole = operation({
  input: iamOperations.GetRole.input,
  callers: ['person'],
  access: ({ RoleName }, context) => roleAccess(context, RoleName),
  run: async (context, { RoleName }): Promise<RoleOutput> => ({
    Role: await roleDetail(context, await findRole(context, RoleName)),
  }),
})
