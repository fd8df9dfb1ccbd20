import type { Clock } from '@sallyport/protocol/clock'
import { Liveness } from '@sallyport/protocol/liveness'
import type { Connection } from '@sallyport/protocol/transport/transport'

/** Frames kept for an end that is away, bytes; beyond it the other end's socket is not read. */
export const QUEUE_LIMIT = 1024 * 1024
/** Bytes on their way into a socket before its counterpart is not read for a while. */
export const SOCKET_HIGH_WATER = 512 * 1024
const SOCKET_LOW_WATER = 128 * 1024
/** RFC 6455 7.4.1: a peer that closes so has done what it came for. */
const NORMAL_CLOSE = 1000

export type Role = 'agent' | 'client'

export type HalfOptions = {
  role: Role
  clock: Clock
  pingEvery: number
  pongTimeout: number
  /** A frame from this end's current connection. */
  onFrame(frame: Uint8Array): void
  /** This end can take frames again, or can take none for now. */
  onRoom(room: boolean): void
  /** `left`: the end said goodbye, so it does not mean to come back. */
  onLost(reason: string, left: boolean): void
}

/**
 * One end of a session at the gateway: its current socket if it has one, and the frames that wait for the next.
 * A newer socket replaces an older one (data-plane.md 11.4).
 */
export class Half {
  readonly #options: HalfOptions
  #connection: Connection | undefined
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #congested = false
  #held = false
  /** A stock plugin never notices a dead path by itself (data-plane.md 5). */
  #liveness: Liveness | undefined

  constructor(options: HalfOptions) {
    this.#options = options
  }

  get role(): Role {
    return this.#options.role
  }

  get connected(): boolean {
    return this.#connection !== undefined
  }

  /** Bytes kept for this end: in the queue, or in its socket. */
  get bufferedBytes(): number {
    return this.#queuedBytes + (this.#connection?.bufferedBytes ?? 0)
  }

  /** Takes over a socket whose opening frame was good. Frames that waited go out at once. */
  attach(connection: Connection): void {
    this.#drop(NORMAL_CLOSE, 'replaced by a newer connection')
    this.#connection = connection
    const { clock, pingEvery, pongTimeout } = this.#options
    const liveness = new Liveness({
      clock,
      connection,
      pingEvery,
      pongTimeout,
      // Nor can an end that reads nothing for now answer: what is on its way to it is before the ping.
      excused: () => this.#held || this.#congested,
      onDead: () => this.#lost(connection, 'no answer to a ping', false),
    })
    this.#liveness = liveness
    connection.events = {
      message: data => {
        liveness.seen()
        if (this.#connection === connection) this.#options.onFrame(data)
      },
      pong: () => liveness.seen(),
      drain: () => this.#drained(connection),
      close: (code, reason) =>
        this.#lost(connection, reason === '' ? `closed (${code})` : reason, code === NORMAL_CLOSE),
    }
    // It may have been closed before it came here; then the frames wait for the next.
    if (this.#connection !== connection) return
    if (this.#held) connection.pause()
    const queue = this.#queue
    this.#queue = []
    this.#queuedBytes = 0
    for (const frame of queue) connection.send(frame)
    this.#measure()
  }

  /** Sends now, or when this end is back. */
  send(frame: Uint8Array): void {
    if (this.#connection === undefined) {
      this.#queue.push(frame)
      this.#queuedBytes += frame.length
    } else this.#connection.send(frame)
    this.#measure()
  }

  /** Sends if this end is there; for messages that mean nothing later. */
  sendIfConnected(frame: Uint8Array): void {
    this.#connection?.send(frame)
  }

  /** Stops (true) or restarts reading from this end: the other end has no room. */
  hold(held: boolean): void {
    this.#held = held
    if (held) this.#connection?.pause()
    else {
      // It had no chance to show a sign of life until now.
      this.#liveness?.seen()
      this.#connection?.resume()
    }
  }

  close(code: number, reason: string): void {
    this.#drop(code, reason)
    this.#queue = []
    this.#queuedBytes = 0
    this.#measure()
  }

  #drop(code: number, reason: string): void {
    const connection = this.#connection
    this.#connection = undefined
    this.#liveness?.stop()
    connection?.close(code, reason)
  }

  #lost(connection: Connection, reason: string, left: boolean): void {
    if (this.#connection !== connection) return
    this.#connection = undefined
    this.#liveness?.stop()
    this.#measure()
    this.#options.onLost(reason, left)
  }

  #drained(connection: Connection): void {
    if (this.#connection === connection) this.#measure()
  }

  #measure(): void {
    const limit = this.#connection === undefined ? QUEUE_LIMIT : SOCKET_HIGH_WATER
    const bytes = this.bufferedBytes
    if (!this.#congested && bytes > limit) {
      this.#congested = true
      this.#options.onRoom(false)
    } else if (this.#congested && bytes <= SOCKET_LOW_WATER) {
      this.#congested = false
      this.#options.onRoom(true)
    }
  }
}
