import type { NamedPolicy } from './policy/decision.ts'
import { parsePolicy } from './policy/parse.ts'
import type { Policy } from './policy/policy.ts'

/** Beyond so many texts, the one that was read first is read again. */
const MAXIMUM_PARSED = 5_000

export type BadPolicyListener = (policyName: string, error: unknown) => void

/** Policies as they are evaluated, by their text: it is what never changes. */
export class ParsedPolicies {
  readonly #onBad: BadPolicyListener
  readonly #policies = new Map<string, Policy | undefined>()

  constructor(onBad: BadPolicyListener) {
    this.#onBad = onBad
  }

  /** Undefined for what cannot be read: it neither allows nor denies. It was refused when it was to be written. */
  named(
    name: string,
    sourceType: NamedPolicy['sourceType'],
    text: string,
    owner?: string,
  ): NamedPolicy | undefined {
    const policy = this.#policy(name, text)
    return policy && { name, sourceType, policy, text, ...(owner === undefined ? {} : { owner }) }
  }

  #policy(name: string, text: string): Policy | undefined {
    if (this.#policies.has(text)) return this.#policies.get(text)
    const policy = this.#parse(name, text)
    this.#policies.set(text, policy)
    if (this.#policies.size > MAXIMUM_PARSED) {
      const [oldest] = this.#policies.keys()
      if (oldest !== undefined) this.#policies.delete(oldest)
    }
    return policy
  }

  #parse(name: string, text: string): Policy | undefined {
    try {
      return parsePolicy(text, 'identity')
    } catch (error) {
      this.#onBad(name, error)
      return undefined
    }
  }
}
