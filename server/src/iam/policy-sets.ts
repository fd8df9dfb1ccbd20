import type { PolicyOwner, Scope } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import type { AccessCache } from './access-cache.ts'
import { awsManagedPolicy } from './aws-managed-policies.ts'
import type { ParsedPolicies } from './parsed-policies.ts'
import type { NamedPolicy, PolicySet } from './policy/decision.ts'
import type { NodePrincipal, Person, RolePrincipal } from './principal.ts'

export type PolicySetsOptions = { store: Store; scope: Scope; cache: AccessCache; parsed: ParsedPolicies }

const NOTHING: PolicySet = { identity: [] }

/** Brings together what policies hold for somebody (control-plane.md 34.4). */
export class PolicySets {
  readonly #options: PolicySetsOptions

  constructor(options: PolicySetsOptions) {
    this.#options = options
  }

  async of(principal: Person | NodePrincipal): Promise<PolicySet> {
    switch (principal.kind) {
      case 'user':
        return await this.#user(principal.userName)
      case 'node':
        return principal.roleName === null ? NOTHING : await this.#role(principal.roleName)
      case 'role':
        return await this.#roleSession(principal)
      default:
        return principal satisfies never
    }
  }

  /** What a group gives to whoever is in it. */
  async ofGroup(groupName: string): Promise<PolicySet> {
    return { identity: await this.#owned('group', [groupName]) }
  }

  #user(userName: string): Promise<PolicySet> {
    const { store, scope, cache } = this.#options
    return cache.get(`policies of user ${userName}`, async () => {
      const [user, groups] = await Promise.all([
        store.users.get(scope, userName),
        store.groups.ofUser(scope, userName),
      ])
      if (user === undefined) return NOTHING
      const [own, fromGroups] = await Promise.all([
        this.#owned('user', [userName]),
        this.#owned('group', groups),
      ])
      return { identity: [...own, ...fromGroups], ...(await this.#boundary(user.permissionsBoundary)) }
    })
  }

  #role(roleName: string): Promise<PolicySet> {
    const { store, scope, cache } = this.#options
    return cache.get(`policies of role ${roleName}`, async () => {
      const role = await store.roles.get(scope, roleName)
      if (role === undefined) return NOTHING
      const identity = await this.#owned('role', [role.roleName])
      return { identity, ...(await this.#boundary(role.permissionsBoundary)) }
    })
  }

  async #roleSession({ roleName, sessionPolicies, temporary }: RolePrincipal): Promise<PolicySet> {
    const set = await this.#role(roleName)
    if (sessionPolicies === undefined) return set
    const { cache, parsed } = this.#options
    const session = await cache.get(`policies of session ${temporary.accessKeyId}`, async () => {
      const given = sessionPolicies.documents.map((text, index) =>
        parsed.named(`session policy ${index + 1}`, 'none', text),
      )
      const managed = await this.#managed(sessionPolicies.arns)
      // Without one of them nothing is sure to be within what it held the session to.
      if (managed.length < new Set(sessionPolicies.arns).size) return []
      return [...given.filter(isKnown), ...managed]
    })
    // Also when none is there any more: a session without any would be free of this layer.
    return { ...set, session }
  }

  async #owned(type: PolicyOwner, names: readonly string[]): Promise<NamedPolicy[]> {
    if (names.length === 0) return []
    const { store, scope, parsed } = this.#options
    const { attached, inline } = await store.ownerPolicies.of(scope, type, names)
    const written = inline.map(({ policyName, document, ownerName }) =>
      parsed.named(policyName, type, document, ownerName),
    )
    return [...written, ...(await this.#managed(attached.map(({ policyArn }) => policyArn)))]
  }

  /** Those that are there, of Amazon's and of the account's own. */
  async #managed(given: readonly string[]): Promise<NamedPolicy[]> {
    const arns = [...new Set(given)]
    const { store, scope, parsed } = this.#options
    const own = arns.filter(arn => awsManagedPolicy(arn) === undefined)
    const documents = own.length === 0 ? new Map() : await store.policies.documents(scope, own)
    return arns
      .map(arn => {
        const amazons = awsManagedPolicy(arn)
        if (amazons !== undefined) return parsed.named(arn, 'aws-managed', amazons.document)
        const text = documents.get(arn)
        return text && parsed.named(arn, 'user-managed', text)
      })
      .filter(isKnown)
  }

  /** A boundary that is not there is one that nothing is inside of. */
  async #boundary(arn: string | null): Promise<Pick<PolicySet, 'boundary'>> {
    if (arn === null) return {}
    const [boundary] = await this.#managed([arn])
    return { boundary: boundary ?? { name: arn, sourceType: 'none', policy: { statements: [] } } }
  }
}

function isKnown(policy: NamedPolicy | undefined): policy is NamedPolicy {
  return policy !== undefined
}
