import { utf8 } from '../bytes.ts'
import type { Clock } from '../clock.ts'
import { type Connection, type ConnectionEvents, NO_EVENTS } from './transport.ts'

/** A connection that broke without a close frame (RFC 6455 7.1.5). */
const ABNORMAL_CLOSE = 1006

/** What the link does to each message; asked when it is sent, so a test may change its mind. */
export type LinkFaults = {
  /** Milliseconds to the other end; messages overtake each other where it varies. */
  delay: () => number
  lose: () => boolean
  duplicate: () => boolean
}

const PERFECT: LinkFaults = { delay: () => 1, lose: () => false, duplicate: () => false }

/** Two connections and the network between them, for tests: as good or as bad as `faults` says. */
export class MemoryLink {
  readonly ends: readonly [Connection, Connection]
  readonly faults: LinkFaults
  readonly #clock: Clock
  readonly #sides: readonly [MemoryConnection, MemoryConnection]
  #silent = false

  constructor(clock: Clock, faults: Partial<LinkFaults> = {}) {
    this.#clock = clock
    this.faults = { ...PERFECT, ...faults }
    const wire: Wire = {
      later: action => this.#later(action),
      copies: () => (this.faults.lose() ? 0 : this.faults.duplicate() ? 2 : 1),
    }
    this.#sides = [new MemoryConnection(wire), new MemoryConnection(wire)]
    this.#sides[0].peer = this.#sides[1]
    this.#sides[1].peer = this.#sides[0]
    this.ends = this.#sides
  }

  /** The connection breaks: what is under way is lost, and both ends hear of it at once. */
  cut(): void {
    for (const side of this.#sides) side.closed(ABNORMAL_CLOSE, '')
  }

  /** The path is dead: nothing arrives any more, and nobody is told. */
  silence(): void {
    this.#silent = true
  }

  #later(action: () => void): void {
    this.#clock.after(this.faults.delay(), () => {
      if (!this.#silent) action()
    })
  }
}

type Wire = { later(action: () => void): void; copies(): number }

class MemoryConnection implements Connection {
  peer: MemoryConnection = this
  bufferedBytes = 0
  readonly #wire: Wire
  #events: ConnectionEvents = NO_EVENTS
  #arrived: Array<[data: Uint8Array, isText: boolean]> = []
  #paused = false
  #closing = false
  #end: [code: number, reason: string] | undefined

  constructor(wire: Wire) {
    this.#wire = wire
  }

  send(data: Uint8Array | string): void {
    if (this.#closing) return
    const isText = typeof data === 'string'
    // A copy, as over any network: what is done to the sender's buffer later must not show.
    const bytes = isText ? utf8(data) : data.slice()
    const copies = this.#wire.copies()
    for (let i = 0; i < copies; i++) this.#wire.later(() => this.peer.#arrive(bytes.slice(), isText))
    this.bufferedBytes += bytes.length
    this.#wire.later(() => {
      this.bufferedBytes -= bytes.length
      if (this.#end === undefined) this.#events.drain()
    })
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#flush()
  }

  ping(): void {
    this.#wire.later(() => {
      const { peer } = this
      if (peer.#paused || peer.#end !== undefined) return
      peer.#events.pong()
      this.#wire.later(() => {
        if (!this.#paused && this.#end === undefined) this.#events.pong()
      })
    })
  }

  close(code: number, reason: string): void {
    if (this.#closing) return
    this.#closing = true
    this.#wire.later(() => {
      this.peer.closed(code, reason)
      this.#wire.later(() => this.closed(code, reason))
    })
  }

  terminate(): void {
    this.closed(ABNORMAL_CLOSE, '')
    this.#wire.later(() => this.peer.closed(ABNORMAL_CLOSE, ''))
  }

  get events(): ConnectionEvents {
    return this.#events
  }

  set events(events: ConnectionEvents) {
    this.#events = events
    this.#flush()
    if (this.#end !== undefined) events.close(...this.#end)
  }

  /** Once, whoever ended it. */
  closed(code: number, reason: string): void {
    if (this.#end !== undefined) return
    this.#closing = true
    this.#end = [code, reason]
    this.#events.close(code, reason)
  }

  #arrive(data: Uint8Array, isText: boolean): void {
    if (this.#end !== undefined) return
    this.#arrived.push([data, isText])
    this.#flush()
  }

  #flush(): void {
    while (!this.#paused && this.#events !== NO_EVENTS) {
      const message = this.#arrived.shift()
      if (message === undefined) return
      this.#events.message(...message)
    }
  }
}
