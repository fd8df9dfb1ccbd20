import type { NamedPolicy } from './policy/decision.ts'
import { parsePolicy } from './policy/parse.ts'
import type { Policy } from './policy/policy.ts'

/** Beyond so many texts, the one that was read first is read again. */
const MAXIMUM_PARSED = 5_000

export type BadPolicyListener = (policyName: string, error: unknown) => void

/**
 * Stands for a policy that cannot be read. Nobody knows what it denied, so it denies everything: the server's log names
 * it, and whoever may still change policies writes it anew (or `sallyport server reset-administrator --user-name`).
 */
const UNREADABLE = parsePolicy(
  '{"Version":"2012-10-17","Statement":{"Sid":"CannotBeRead","Effect":"Deny","Action":"*","Resource":"*"}}',
  'identity',
)

/** Policies as they are evaluated, by their text: it is what never changes. */
export class ParsedPolicies {
  readonly #onBad: BadPolicyListener
  readonly #policies = new Map<string, Policy>()

  constructor(onBad: BadPolicyListener) {
    this.#onBad = onBad
  }

  /** Only what an earlier version took can be unreadable: it would be refused when it is written. */
  named(name: string, sourceType: NamedPolicy['sourceType'], text: string, owner?: string): NamedPolicy {
    const policy = this.#policy(name, text)
    return { name, sourceType, policy, text, ...(owner === undefined ? {} : { owner }) }
  }

  #policy(name: string, text: string): Policy {
    const known = this.#policies.get(text)
    if (known !== undefined) return known
    const policy = this.#parse(name, text)
    this.#policies.set(text, policy)
    if (this.#policies.size > MAXIMUM_PARSED) {
      const [oldest] = this.#policies.keys()
      if (oldest !== undefined) this.#policies.delete(oldest)
    }
    return policy
  }

  #parse(name: string, text: string): Policy {
    try {
      return parsePolicy(text, 'identity')
    } catch (error) {
      this.#onBad(name, error)
      return UNREADABLE
    }
  }
}
