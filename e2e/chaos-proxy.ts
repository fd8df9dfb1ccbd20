import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net'

const LAST_WORDS_MS = 20

type Pair = { client: Socket; server: Socket; stalled: boolean }

/**
 * A TCP proxy on a port of localhost that does what networks do: it breaks connections, or leaves them standing
 * while nothing goes through any more. What was under way in a broken connection is lost.
 */
export class ChaosProxy implements AsyncDisposable {
  readonly #listener: Server
  readonly #pairs = new Set<Pair>()
  #accepted = 0
  #cuts = 0
  #cutting: NodeJS.Timeout | undefined
  #plan: { everyBytes: number; times: number; passed: number } | undefined

  /** To `port` of this machine. */
  static async to(port: number): Promise<ChaosProxy> {
    const proxy = new ChaosProxy(port)
    proxy.#listener.listen(0, '127.0.0.1')
    await once(proxy.#listener, 'listening')
    return proxy
  }

  private constructor(port: number) {
    this.#listener = createServer({ noDelay: true }, client => {
      this.#accepted++
      const server = createConnection({ host: '127.0.0.1', port, noDelay: true })
      const pair = { client, server, stalled: false }
      this.#pairs.add(pair)
      this.#carry(pair, client, server)
      this.#carry(pair, server, client)
    })
  }

  get endpoint(): string {
    return `https://localhost:${(this.#listener.address() as AddressInfo).port}`
  }

  /** Connections now. */
  get open(): number {
    return this.#pairs.size
  }

  /** Connections ever. */
  get accepted(): number {
    return this.#accepted
  }

  /** How often every connection was broken. */
  get cuts(): number {
    return this.#cuts
  }

  /** Breaks every connection, both ways, with a reset. New ones are welcome. */
  cut(): void {
    clearTimeout(this.#cutting)
    this.#cutting = undefined
    this.#cuts++
    for (const pair of [...this.#pairs]) this.#break(pair)
  }

  /**
   * Breaks every connection each time so many more bytes have gone through, as often as said. As networks do, it
   * stops carrying first: what is said the other way, such as acknowledgements, still gets through for a moment.
   */
  cutEvery(everyBytes: number, times: number): void {
    this.#cuts = 0
    this.#plan = { everyBytes, times, passed: 0 }
  }

  /** Nothing goes through the connections of now any more, and nobody is told. New ones work. */
  stall(): void {
    for (const pair of this.#pairs) {
      pair.stalled = true
      pair.client.pause()
      pair.server.pause()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#cutting)
    const closed = once(this.#listener, 'close')
    this.#listener.close()
    for (const pair of [...this.#pairs]) this.#break(pair)
    await closed
  }

  #carry(pair: Pair, from: Socket, to: Socket): void {
    from.on('data', data => {
      if (!to.write(data)) from.pause()
      this.#count(data.length, pair, from)
    })
    to.on('drain', () => pair.stalled || from.resume())
    from.on('error', () => this.#break(pair))
    from.on('end', () => to.end())
    from.on('close', () => this.#break(pair))
  }

  #count(bytes: number, pair: Pair, from: Socket): void {
    const plan = this.#plan
    if (plan === undefined || plan.times === 0 || this.#cutting !== undefined) return
    plan.passed += bytes
    if (plan.passed < plan.everyBytes) return
    plan.passed = 0
    plan.times--
    pair.stalled = true
    from.pause()
    this.#cutting = setTimeout(() => this.cut(), LAST_WORDS_MS)
  }

  #break(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return
    for (const socket of [pair.client, pair.server]) {
      socket.resetAndDestroy()
      // A socket that is reset before it is connected reports it as an error.
      socket.on('error', () => undefined)
    }
  }
}
