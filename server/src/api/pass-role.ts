import type { AccessCheck } from '../iam/access-plan.ts'
import { roleArn } from '../iam/arns.ts'
import { type NodeService, trustsService } from '../iam/service-trust.ts'
import type { RoleRow } from '../store/schema.ts'
import type { OperationContext } from './operation.ts'

/** A role as a request names it: a name, perhaps with a path before it, as in `service-role/SSMServiceRole`. */
export type NamedRole = { path: string; roleName: string; role: RoleRow | undefined }

export async function namedRole({ store, scope }: OperationContext, given: string): Promise<NamedRole> {
  const parts = given.split('/').filter(part => part !== '')
  const roleName = parts.pop() ?? ''
  const role = await store.roles.get(scope, roleName)
  const path = parts.length === 0 ? (role?.path ?? '/') : `/${parts.join('/')}/`
  return { path, roleName, role: role?.path === path ? role : undefined }
}

/** Whoever gives a node a role must be allowed to: the node can do what the role can (control-plane.md 34.1). */
export async function passRoleCheck(
  context: OperationContext,
  given: string,
  service: NodeService,
): Promise<AccessCheck> {
  const { path, roleName } = await namedRole(context, given)
  return {
    action: 'iam:PassRole',
    resource: roleArn(context, path, roleName),
    shown: roleArn(context, given.includes('/') ? path : '/', roleName),
    conditions: { 'iam:PassedToService': service },
  }
}

/** The role's name, if it is there and trusts the service. */
export function usableRole(
  context: OperationContext,
  { role }: NamedRole,
  service: NodeService,
): string | undefined {
  return role !== undefined && trustsService(context, role, service) ? role.roleName : undefined
}
