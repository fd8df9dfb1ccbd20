import { iamOperations } from '@sallyport/protocol/api/iam'
import type { RoleRemoval } from '@sallyport/server/store/roles'
import { type OperationContext, operation } from '../../operation.ts'
import { deleteConflict } from './errors.ts'
import { findOwnRole, noSuchRole, roleAccess } from './roles.ts'

const FIRST: Record<Exclude<RoleRemoval, 'removed' | 'missing'>, string> = {
  'attached-policies': 'must detach all policies first',
  'inline-policies': 'must delete policies first',
  'instance-profile': 'must remove roles from instance profile first',
}

/** Activations and nodes that use it do not keep it: they are without a role then, as with AWS. */
export const deleteRole = operation({
  input: iamOperations.DeleteRole.input,
  callers: ['person'],
  access: ({ RoleName }, context) => roleAccess(context, RoleName),
  changesAccess: true,
  run: async (context, { RoleName }) => {
    await findOwnRole(context, RoleName)
    await removeRole(context, RoleName)
    return {}
  },
})

/** Throws `DeleteConflict` while something belongs to it. */
export async function removeRole({ store, scope }: OperationContext, roleName: string): Promise<void> {
  const removal = await store.roles.remove(scope, roleName)
  if (removal === 'removed') return
  if (removal === 'missing') throw noSuchRole(roleName)
  throw deleteConflict(`Cannot delete entity, ${FIRST[removal]}.`)
}
