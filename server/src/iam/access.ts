import type { Scope } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import type { Tag } from '../store/tags.ts'
import type { AccessCache } from './access-cache.ts'
import type { AccessCheck, AccessPlan } from './access-plan.ts'
import { cachedTags } from './cached-rows.ts'
import { PrincipalKeys, requestContext } from './condition-keys.ts'
import { type BadPolicyListener, ParsedPolicies } from './parsed-policies.ts'
import type { ContextValues, Decision, PolicySet } from './policy/decision.ts'
import { evaluate } from './policy/evaluate.ts'
import { PolicySets } from './policy-sets.ts'
import type { NodePrincipal, Person } from './principal.ts'
import type { RequestFacts } from './request-facts.ts'

export type AccessOptions = {
  store: Store
  scope: Scope
  partition: string
  cache: AccessCache
  /** Told once of each stored policy that cannot be read. It denies everything. */
  onBadPolicy?: BadPolicyListener
}

export type DeniedCheck = AccessCheck & { action: string }
export type Denial = { allowed: false; check: DeniedCheck; decision: Decision & { allowed: false } }
export type Outcome = { allowed: true } | Denial

const ALLOWED: Outcome = { allowed: true }

/** What people and nodes may do, by the policies that the store holds at this moment (control-plane.md 34). */
export class Access {
  readonly #options: AccessOptions
  readonly #sets: PolicySets
  readonly #keys: PrincipalKeys

  constructor(options: AccessOptions) {
    const { store, scope, partition, cache, onBadPolicy = () => {} } = options
    this.#options = options
    this.#sets = new PolicySets({ store, scope, cache, parsed: new ParsedPolicies(onBadPolicy) })
    this.#keys = new PrincipalKeys({ store, scope, partition, cache })
  }

  /** Everything that decides what somebody may do. Who is not there (any more) has no policies. */
  policySet(principal: Person | NodePrincipal): Promise<PolicySet> {
    return this.#sets.of(principal)
  }

  /** Of a node or document, under the resource type that the store keeps them under. */
  tagsOf(resourceType: string, resourceId: string): Promise<readonly Tag[]> {
    return cachedTags(this.#options, resourceType, resourceId)
  }

  /** What a group gives to whoever is in it. */
  groupPolicySet(groupName: string): Promise<PolicySet> {
    return this.#sets.ofGroup(groupName)
  }

  /** The values of all condition keys, global ones included, by key in lower case. */
  async contextFor(
    principal: Person | NodePrincipal,
    check: Pick<AccessCheck, 'conditions'>,
    facts: RequestFacts,
  ): Promise<ContextValues> {
    return requestContext(await this.#keys.of(principal), facts, check.conditions)
  }

  /** `action` is that of the checks that name none. What an explicit deny refuses, `otherwise` cannot allow. */
  async decide(
    principal: Person | NodePrincipal,
    plan: AccessPlan,
    action: string,
    facts: RequestFacts,
  ): Promise<Outcome> {
    if (plan.all.length === 0) return ALLOWED
    const [set, keys] = await Promise.all([this.#sets.of(principal), this.#keys.of(principal)])
    const denials = (checks: readonly AccessCheck[]): Denial[] =>
      checks.flatMap(check => {
        const named = { ...check, action: check.action ?? action }
        const context = requestContext(keys, facts, check.conditions)
        const decision = evaluate(set, { action: named.action, resource: check.resource, context })
        return decision.allowed ? [] : [{ allowed: false, check: named, decision }]
      })
    const refused = denials(plan.all)
    const [first] = refused
    if (first === undefined) return ALLOWED
    const explicit = refused.find(isExplicit)
    if (explicit !== undefined) return explicit
    if (plan.otherwise === undefined) return first
    const others = denials(plan.otherwise)
    if (others.length === 0) return ALLOWED
    // The longer way of the same action says what is really in the way.
    const same = others.filter(({ check }) => check.action === first.check.action)
    return same.find(isExplicit) ?? same[0] ?? first
  }
}

function isExplicit({ decision }: Denial): boolean {
  return decision.reason === 'explicit-deny'
}
