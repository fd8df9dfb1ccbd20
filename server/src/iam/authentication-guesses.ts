import { GuessLimit, MAXIMUM_NAMES } from './guess-limit.ts'

const LOG_INTERVAL_MS = 60_000

/** What too many wrong signatures come from, or are tried on. */
export type Limited = { address: string } | { accessKeyId: string }
/** Told once per minute of each. */
export type LimitListener = (about: Limited) => void

/**
 * Wrong signatures, by where they came from and by the access key that they were tried on (security-cases.md 46).
 *
 * A right signature is let in whatever the limits say: a secret has 160 bits or more, so it is not guessed, and a
 * limit that kept its owner out would be a way to lock out the last administrator. Beyond a limit a wrong one only
 * learns no more what was wrong with it. The exception are signatures of nodes: RSA costs too much to be verified for anybody.
 */
export class AuthenticationGuesses {
  readonly #networks = new GuessLimit(100, 1_000)
  readonly #keys = new GuessLimit(500, 1_000)
  readonly #nodeNetworks = new GuessLimit(100, 1_000)
  readonly #logged = new GuessLimit(1, LOG_INTERVAL_MS)
  /** Nodes by where they proved their key last: these are verified beyond the limit too. */
  readonly #proven = new Map<string, string>()
  readonly #onLimit: LimitListener

  constructor(onLimit: LimitListener) {
    this.#onLimit = onLimit
  }

  /** Counts a wrong signature, or one by an unknown key. True if there were too many before it. */
  failed(address: string, accessKeyId: string, now: number): boolean {
    const network = networkOf(address)
    const addressLimited = this.#count(this.#networks, network, { address }, now)
    const keyLimited = this.#count(this.#keys, accessKeyId, { accessKeyId }, now)
    return addressLimited || keyLimited
  }

  /** Whether a signature that claims to be a node's is worth verifying. */
  mayBeNode(address: string, nodeId: string, now: number): boolean {
    const network = networkOf(address)
    return this.#proven.get(nodeId) === network || this.#nodeNetworks.wait(network, now) === 0
  }

  nodeFailed(address: string, now: number): void {
    this.#count(this.#nodeNetworks, networkOf(address), { address }, now)
  }

  nodeProved(address: string, nodeId: string): void {
    this.#proven.delete(nodeId)
    this.#proven.set(nodeId, networkOf(address))
    if (this.#proven.size <= MAXIMUM_NAMES) return
    const [oldest] = this.#proven.keys()
    if (oldest !== undefined) this.#proven.delete(oldest)
  }

  #count(limit: GuessLimit, name: string, about: Limited, now: number): boolean {
    const before = limit.wait(name, now) > 0
    limit.failed(name, now)
    if (!before && limit.wait(name, now) > 0 && this.#logged.wait(name, now) === 0) {
      this.#logged.failed(name, now)
      this.#onLimit(about)
    }
    return before
  }
}

const GROUPS = 8
const NETWORK_GROUPS = 4

/** An IPv4 address, also one mapped into IPv6; of IPv6 the /64, within which anybody has as many addresses as they like. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  if (!plain.includes(':')) return plain
  const [front = '', back] = plain.split('::')
  const groups = front === '' ? [] : front.split(':')
  if (back !== undefined) {
    const after = back === '' ? [] : back.split(':')
    while (groups.length + after.length < GROUPS) groups.push('0')
    groups.push(...after)
  }
  return `${groups.slice(0, NETWORK_GROUPS).join(':').toLowerCase()}::/64`
}
