import { lookup } from 'node:dns/promises'
import { isIPv6, type Socket } from 'node:net'
import { inWords } from '../error-words.ts'
import { type Address, parseAddress } from './address.ts'
import type { AllowedDestinations } from './allowed-destinations.ts'
import type { AuthorisedDestinations } from './authorised-destinations.ts'
import { connectToFirst } from './connect.ts'
import type { DestinationRules } from './destination-rules.ts'
import { type Host, readHost } from './host.ts'

/** How long a connection may take from the resolution of the name on, ms. */
const DIAL_TIMEOUT = 30_000
/** More addresses than a name reasonably has; the first that answers is taken. */
const MAXIMUM_ADDRESSES = 16

/** The system's, unless a test has its own. */
export type Network = {
  /** Addresses of a name, in the order in which they should be tried. */
  resolve?: (name: string) => Promise<string[]>
  connect?: typeof connectToFirst
}

export type DestinationOptions = {
  host: string
  port: number
  rules: DestinationRules
  allowed?: AllowedDestinations | undefined
  authorised?: AuthorisedDestinations | undefined
  network?: Network | undefined
}

/** Nobody may connect there. */
export class ForbiddenDestination extends Error {
  override readonly name = 'ForbiddenDestination'
}

/** Where a session's connections go to. Every connection is made to an address that was itself checked. */
export class Destination {
  /** For messages: `host:port` as asked for. */
  readonly label: string
  readonly #options: DestinationOptions
  readonly #host: Host
  #lookup: Promise<Address[]> | undefined
  /** The address that was connected to last. */
  #answered: string | undefined

  /** Throws a RangeError if `host` can be no host. */
  constructor(options: DestinationOptions) {
    this.#options = options
    this.#host = readHost(options.host)
    const named = options.host === '' ? this.#host.name : options.host
    this.label = `${isIPv6(named) ? `[${named}]` : named}:${options.port}`
  }

  /**
   * Opens a connection. Rejects with a `ForbiddenDestination`, with the cause in words behind the label, or with the
   * reason of `signal`.
   */
  async connect(signal: AbortSignal): Promise<Socket> {
    const dial = new AbortController()
    const cancel = () => dial.abort(signal.reason)
    if (signal.aborted) cancel()
    signal.addEventListener('abort', cancel)
    const deadline = setTimeout(
      () => dial.abort(new Error(`no answer within ${DIAL_TIMEOUT / 1000} s`)),
      DIAL_TIMEOUT,
    )
    try {
      const addresses = await orAborted(this.addresses(), dial.signal)
      const { connect = connectToFirst } = this.#options.network ?? {}
      const socket = await connect(this.#inOrder(addresses), this.#options.port, dial.signal)
      this.#answered = socket.remoteAddress
      return socket
    } catch (error) {
      if (error instanceof ForbiddenDestination) throw error
      throw new Error(`${this.label}: ${inWords(error)}`, { cause: error })
    } finally {
      clearTimeout(deadline)
      signal.removeEventListener('abort', cancel)
    }
  }

  /**
   * The addresses that may be connected to: those of a name that are denied are left out. Rejects with a
   * `ForbiddenDestination` if none is left, and if the name cannot be resolved.
   */
  async addresses(): Promise<Address[]> {
    this.#refuseName()
    return this.#permitted(this.#host.addresses ?? (await this.#resolved()))
  }

  /** Throws a `ForbiddenDestination` where that is certain without asking the network. */
  refuseByName(): void {
    this.#refuseName()
    if (this.#host.addresses !== undefined) this.#permitted(this.#host.addresses)
  }

  #refuseName(): void {
    const { allowed, authorised, port } = this.#options
    if (authorised?.covers(this.#host, port) === false) {
      throw new ForbiddenDestination(
        `Forwarding to ${this.label} is forbidden. The server has not authorised this session for it.`,
      )
    }
    if (allowed?.mayAllow(this.#name, port) === false) throw this.#notAllowed(this.#name)
  }

  get #name(): string {
    return this.#host.name.replace(/\.$/, '')
  }

  #permitted(addresses: Address[]): Address[] {
    const { rules, allowed, port } = this.#options
    const name = this.#name
    const undenied = addresses.filter(address => !rules.denies(address))
    const permitted = undenied.filter(address => allowed?.allows(name, address, port) ?? true)
    if (permitted.length > 0) return permitted
    const [first] = undenied.length > 0 ? undenied : addresses
    if (undenied.length > 0) throw this.#notAllowed(first?.text)
    throw new ForbiddenDestination(
      `Forwarding to IP address ${first?.text} is forbidden. The destination rules of the agent on the node deny ${this.label}.`,
    )
  }

  /** What answered last comes first: a server that listens at one of its addresses is not asked at the others each time. */
  #inOrder(addresses: readonly Address[]): Address[] {
    const first = addresses.filter(({ text }) => text === this.#answered)
    return [...first, ...addresses.filter(address => !first.includes(address))]
  }

  #notAllowed(what: string | undefined): ForbiddenDestination {
    return new ForbiddenDestination(
      `Forwarding to IP address ${what} is forbidden. The session document does not allow ${this.label}.`,
    )
  }

  /** Connections that are opened at the same moment share an answer; none is kept, since it would age. */
  #resolved(): Promise<Address[]> {
    this.#lookup ??= this.#resolve().finally(() => {
      this.#lookup = undefined
    })
    return this.#lookup
  }

  async #resolve(): Promise<Address[]> {
    const { resolve = resolveWithSystem } = this.#options.network ?? {}
    const texts = await resolve(this.#host.name)
    const addresses = texts.slice(0, MAXIMUM_ADDRESSES).flatMap(text => parseAddress(text) ?? [])
    if (addresses.length === 0) throw new Error('the name has no address')
    return addresses
  }
}

async function resolveWithSystem(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true, verbatim: true })
  return found.map(({ address }) => address)
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = () => reject(signal.reason)
    if (signal.aborted) aborted()
    signal.addEventListener('abort', aborted, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })
}
