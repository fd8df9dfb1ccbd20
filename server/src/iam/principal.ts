/** Who makes a request, as far as it was proven. */
export type Principal = UserPrincipal | NodePrincipal | NodeKeyPrincipal | AnonymousPrincipal

export type UserPrincipal = { kind: 'user'; arn: string; userId: string; userName: string }

/** A managed node with the credentials of its role (control-plane.md 4). */
export type NodePrincipal = { kind: 'node'; arn: string; userId: string; nodeId: string; roleName: string }

/** A managed node that proved possession of its registered key, which is good for asking credentials only. */
export type NodeKeyPrincipal = { kind: 'node-key'; arn: string; nodeId: string }

export type AnonymousPrincipal = { kind: 'anonymous' }

/** How error messages and logs name the caller. */
export function describePrincipal(principal: Principal): string {
  return principal.kind === 'anonymous' ? 'anonymous' : principal.arn
}
