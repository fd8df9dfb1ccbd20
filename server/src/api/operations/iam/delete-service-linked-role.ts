import { randomUUID } from 'node:crypto'
import { iamOperations } from '@sallyport/protocol/api/iam'
import type { DeleteServiceLinkedRoleOutput } from '@sallyport/protocol/api/iam-roles'
import { operation } from '../../operation.ts'
import { removeRole } from './delete-role.ts'
import { noSuchEntity } from './errors.ts'
import { findRole, roleAccess, SERVICE_ROLE_PATH } from './roles.ts'

/** With AWS it takes a while, and is asked after by the id of the task. Here it is done when this answers. */
export const deleteServiceLinkedRole = operation({
  input: iamOperations.DeleteServiceLinkedRole.input,
  callers: ['person'],
  access: ({ RoleName }, context) => roleAccess(context, RoleName),
  changesAccess: true,
  run: async (context, { RoleName }): Promise<DeleteServiceLinkedRoleOutput> => {
    const { path } = await findRole(context, RoleName)
    if (!path.startsWith(SERVICE_ROLE_PATH)) {
      throw noSuchEntity(`The role with name ${RoleName} is not a service-linked role.`)
    }
    await removeRole(context, RoleName)
    return { DeletionTaskId: `task${path}${RoleName}/${randomUUID()}` }
  },
})
