import type { Clock } from '@sallyport/protocol/clock'
import { Liveness } from '@sallyport/protocol/liveness'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { FrameQueue } from './frame-queue.ts'
import { HALF_LIMIT, QUEUE_LIMIT, SOCKET_LIMIT } from './session-memory.ts'

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
 * One end of a session at the gateway: its current socket if it has one, and the frames that wait for it.
 * A newer socket replaces an older one (data-plane.md 11.4).
 */
export class Half {
  readonly #options: HalfOptions
  readonly #queue = new FrameQueue()
  #connection: Connection | undefined
  #withheld = false
  #congested = false
  #held = false
  /** What the frames in the socket are views of. */
  #pinned: ArrayBufferLike | undefined
  /** A stock plugin never notices a dead path by itself (data-plane.md 5). */
  #liveness: Liveness | undefined

  constructor(options: HalfOptions) {
    this.#options = options
  }

  get connected(): boolean {
    return this.#connection !== undefined
  }

  /** So much waits for this end that the other one is not read. */
  get congested(): boolean {
    return this.#congested
  }

  /** Bytes kept for this end: in the queue, or in its socket. */
  get bufferedBytes(): number {
    return this.#queue.byteLength + (this.#connection?.bufferedBytes ?? 0)
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
    this.#pump()
  }

  /** Sends now, or when this end is back and has room. */
  send(frame: Uint8Array): void {
    const connection = this.#connection
    if (connection === undefined || this.#withheld || this.#queue.byteLength > 0) this.#queue.push(frame)
    else if (connection.bufferedBytes >= SOCKET_LIMIT) this.#queue.push(frame)
    else this.#write(connection, frame)
    this.#measure()
  }

  /** Sends if this end is there; for messages that mean nothing later. */
  sendIfConnected(frame: Uint8Array): void {
    if (this.#connection !== undefined) this.send(frame)
  }

  /** Sends now, before all that waits for this end, which is there. */
  sendAhead(frame: Uint8Array): void {
    if (this.#connection !== undefined) this.#write(this.#connection, frame)
    this.#measure()
  }

  /** Frames for this end wait (true) although it is there, or go out again. */
  withhold(withheld: boolean): void {
    this.#withheld = withheld
    this.#pump()
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

  /** Drops the socket alone, as its loss would: what waits for this end waits for its next one. */
  disconnect(code: number, reason: string): void {
    const connection = this.#connection
    if (connection === undefined) return
    connection.close(code, reason)
    this.#lost(connection, reason, false)
  }

  /** Forgets what waits for this end; what its socket has is gone. */
  drop(): void {
    this.#queue.clear()
    this.#measure()
  }

  close(code: number, reason: string): void {
    this.#drop(code, reason)
    this.#queue.clear()
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
    if (this.#connection === connection) this.#pump()
  }

  #pump(): void {
    const connection = this.#connection
    if (connection !== undefined && !this.#withheld) {
      while (connection.bufferedBytes < SOCKET_LIMIT) {
        const frame = this.#queue.shift()
        if (frame === undefined) break
        connection.send(frame)
      }
    }
    this.#measure()
  }

  /** A small frame is a view of the whole read that it came with; a socket that is slow must not keep many of those. */
  #write(connection: Connection, frame: Uint8Array): void {
    const free = connection.bufferedBytes === 0 || frame.buffer === this.#pinned
    const wasteful = frame.buffer.byteLength > 2 * frame.length
    if (wasteful && !free) return connection.send(new Uint8Array(frame))
    this.#pinned = frame.buffer
    connection.send(frame)
  }

  #measure(): void {
    const bytes = this.bufferedBytes
    if (bytes > HALF_LIMIT) return this.#overflow()
    if (!this.#congested && bytes > QUEUE_LIMIT) {
      this.#congested = true
      this.#options.onRoom(false)
    } else if (this.#congested && bytes <= SOCKET_LIMIT) {
      this.#congested = false
      this.#options.onRoom(true)
    }
  }

  /** The other end is not read, so this is what the gateway itself had to say to an end that does not listen. */
  #overflow(): void {
    this.#queue.clear()
    const connection = this.#connection
    if (connection === undefined) return this.#measure()
    connection.terminate()
    this.#lost(connection, `does not read: more than ${HALF_LIMIT} bytes wait for it`, false)
  }
}
