/** Who makes a request, as far as it was proven. */
export type Principal = Person | NodePrincipal | NodeKeyPrincipal | AnonymousPrincipal

/** Somebody whom policies say what they may do: a user, or whoever has assumed a role. */
export type Person = UserPrincipal | RolePrincipal

/** An IAM user with a long-term key, or with what GetSessionToken gave for one. */
export type UserPrincipal = {
  kind: 'user'
  arn: string
  userId: string
  userName: string
  /** The long-term key that the request comes from, directly or not. Temporary credentials die with it. */
  longTermKeyId: string
  temporary?: TemporarySession
}

/** `arn` is that of the assumed role, `userId` is `AROA…:session name` (control-plane.md 28). */
export type RolePrincipal = {
  kind: 'role'
  arn: string
  userId: string
  /** The role's own, with its path: aws:PrincipalArn. */
  roleArn: string
  roleName: string
  sessionName: string
  /** Who assumed the role, at the beginning of a chain of roles. */
  source: { userName: string; userId: string; longTermKeyId: string }
  sourceIdentity?: string
  /** Session tags; they stand in front of the role's own in aws:PrincipalTag. */
  tags: Readonly<Record<string, string>>
  transitiveTagKeys: readonly string[]
  /** Session policies: documents as they were given, and ARNs of managed policies. */
  sessionPolicies?: { documents: readonly string[]; arns: readonly string[] }
  temporary: TemporarySession
}

/** Milliseconds since the epoch. */
export type TemporarySession = { accessKeyId: string; issuedAt: number; expiresAt: number }

/** A managed node. Its role is looked up with each request; null if it has none (any more). */
export type NodePrincipal = {
  kind: 'node'
  arn: string
  userId: string
  nodeId: string
  roleName: string | null
}

/** A managed node that proved possession of its registered key, which is good for asking credentials only. */
export type NodeKeyPrincipal = { kind: 'node-key'; arn: string; nodeId: string }
export type AnonymousPrincipal = { kind: 'anonymous' }

/** How error messages and logs name the caller. */
export function describePrincipal(principal: Principal): string {
  return principal.kind === 'anonymous' ? 'anonymous' : principal.arn
}

/** What session ids begin with (control-plane.md 19): the user's name, or the role session's. */
export function sessionNameOf(person: Person): string {
  return person.kind === 'user' ? person.userName : person.sessionName
}
