/** Names beyond these are forgotten, the one that failed longest ago first. */
export const MAXIMUM_NAMES = 10_000

/** Bounds how often something may fail for one name: so often at once, then once per `refillMs`. */
export class GuessLimit {
  /** When all failures of a name will be forgotten, ms. */
  readonly #forgottenAt = new Map<string, number>()
  readonly #burst: number
  readonly #refillMs: number

  constructor(burst: number, refillMs: number) {
    this.#burst = burst
    this.#refillMs = refillMs
  }

  get size(): number {
    return this.#forgottenAt.size
  }

  /** Milliseconds until the name may try again; 0 if it may now. */
  wait(name: string, now: number): number {
    return Math.max(0, this.#debt(name, now) - (this.#burst - 1) * this.#refillMs)
  }

  failed(name: string, now: number): void {
    const debt = Math.min(this.#debt(name, now) + this.#refillMs, this.#burst * this.#refillMs)
    this.#forgottenAt.delete(name)
    this.#forgottenAt.set(name, now + debt)
    if (this.#forgottenAt.size <= MAXIMUM_NAMES) return
    const [oldest] = this.#forgottenAt.keys()
    if (oldest !== undefined) this.#forgottenAt.delete(oldest)
  }

  /** Never more than a full one, also when the clock was set back. */
  #debt(name: string, now: number): number {
    const debt = (this.#forgottenAt.get(name) ?? now) - now
    return Math.min(Math.max(debt, 0), this.#burst * this.#refillMs)
  }
}

/**
 * Wrong activation codes, by who sent them and by what they were tried on (security-cases.md 4). A fleet that registers
 * with the right code is never held up. The second limit is wider, so that nobody can lock out an activation from
 * one address.
 */
export class ActivationGuesses {
  readonly #addresses = new GuessLimit(20, 3_000)
  readonly #activations = new GuessLimit(100, 1_000)

  /** Milliseconds until this address may try this activation again; 0 if it may now. */
  wait(address: string, activationId: string, now: number): number {
    return Math.max(this.#addresses.wait(address, now), this.#activations.wait(activationId, now))
  }

  failed(address: string, activationId: string, now: number): void {
    this.#addresses.failed(address, now)
    this.#activations.failed(activationId, now)
  }
}
