import type { Clock } from './clock.ts'
import type { Crypto } from './crypto.ts'
import { DataChannel, type DataChannelOptions } from './data-channel.ts'
import { ProtocolError } from './errors.ts'
import { Liveness } from './liveness.ts'
import { type Backoff, DATA_CHANNEL_BACKOFF, reconnectDelay } from './reconnect.ts'
import type { Connection } from './transport/transport.ts'

/** How often a channel with something under way looks for overdue messages, ms. */
const TICK = 50
/** A connection without any sign of life for this long after a ping is dead, ms. */
const PONG_TIMEOUT = 8_000
const PROTOCOL_ERROR_CLOSE = 1002
const NORMAL_CLOSE = 1000

/** Thrown by `dial` when no further attempt can succeed: the session is over. */
export class SessionGoneError extends Error {
  override readonly name = 'SessionGoneError'
}

export type SessionLinkOptions = Pick<
  DataChannelOptions,
  'role' | 'deliver' | 'onWritable' | 'onClosed' | 'onPeer'
> & {
  crypto: Crypto
  clock: Clock
  /**
   * Opens a connection and sends its opening frame. Rejects with `SessionGoneError` when the session is over;
   * any other rejection is tried again.
   */
  dial: () => Promise<Connection>
  /** How long to go on dialling without success, ms. */
  giveUpAfter: number
  pingEvery: number
  backoff?: Backoff
  /** The connection is up (again), or lost for the reason given; the stream itself goes on. */
  onLink?: (state: { up: true } | { up: false; reason: string }) => void
  /** No more connections will be made. Not called after `close`. */
  onGone: (reason: string) => void
}

/**
 * Keeps one end of a data channel connected: dials, dials again when the connection breaks or goes silent, and
 * feeds the `DataChannel` that outlives them all.
 */
export class SessionLink {
  readonly channel: DataChannel
  readonly #options: SessionLinkOptions
  #connection: Connection | undefined
  #ended = false
  #attempt = 0
  #downSince: number
  #ticking = false
  #flushing = false
  #liveness: Liveness | undefined
  #cancelDial: () => void = () => {}

  constructor(options: SessionLinkOptions) {
    this.#options = options
    this.#downSince = options.clock.now()
    this.channel = new DataChannel({
      role: options.role,
      crypto: options.crypto,
      now: options.clock.now,
      deliver: options.deliver,
      onClosed: closed => options.onClosed?.(closed),
      onPeer: present => options.onPeer?.(present),
      onWritable: () => options.onWritable?.(),
      transmit: frame => {
        this.#connection?.send(frame)
        this.#startTicking()
      },
    })
  }

  open(): void {
    this.#dial()
  }

  /** Ends the link for good, without a word to the owner. */
  close(): void {
    this.#end()
    this.#connection?.close(NORMAL_CLOSE, '')
    this.#connection = undefined
  }

  /** Sends a frame that is no part of the numbered stream; lost if no connection is up. */
  sendUnnumbered(frame: Uint8Array): void {
    this.#connection?.send(frame)
  }

  #end(): void {
    this.#ended = true
    this.#liveness?.stop()
    this.#cancelDial()
    this.channel.disconnected()
  }

  #dial(): void {
    this.#options.dial().then(
      connection => this.#attach(connection),
      (error: unknown) => this.#dialFailed(error),
    )
  }

  #dialFailed(error: unknown): void {
    if (this.#ended) return
    const { clock, crypto, giveUpAfter, backoff = DATA_CHANNEL_BACKOFF } = this.#options
    const reason = error instanceof Error ? error.message : String(error)
    if (error instanceof SessionGoneError) return this.#gone(reason)
    if (clock.now() - this.#downSince > giveUpAfter) {
      return this.#gone(`no connection for ${Math.round(giveUpAfter / 1000)} s: ${reason}`)
    }
    this.#cancelDial = clock.after(reconnectDelay(crypto, backoff, this.#attempt++), () => this.#dial())
  }

  #gone(reason: string): void {
    this.#end()
    this.#options.onGone(reason)
  }

  #attach(connection: Connection): void {
    if (this.#ended) {
      connection.close(NORMAL_CLOSE, '')
      return
    }
    const { clock, pingEvery } = this.#options
    const onDead = () => this.#lost(connection, 'the connection went silent')
    const liveness = new Liveness({ clock, connection, pingEvery, pongTimeout: PONG_TIMEOUT, onDead })
    this.#liveness = liveness
    this.#connection = connection
    connection.events = {
      message: data => {
        liveness.seen()
        this.#receive(connection, data)
      },
      drain: () => {},
      pong: () => liveness.seen(),
      close: (code, reason) => this.#lost(connection, reason === '' ? `connection closed (${code})` : reason),
    }
    this.#attempt = 0
    this.#options.onLink?.({ up: true })
    this.channel.connected()
  }

  #receive(connection: Connection, data: Uint8Array): void {
    if (this.#connection !== connection) return
    try {
      this.channel.receive(data)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      connection.close(PROTOCOL_ERROR_CLOSE, error.message)
      this.#lost(connection, error.message)
      return
    }
    this.flushSoon()
  }

  /** Acknowledges at the end of this turn what was consumed in it. */
  flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    this.#options.clock.soon(() => {
      this.#flushing = false
      this.channel.flush()
    })
  }

  #lost(connection: Connection, reason: string): void {
    if (this.#connection !== connection || this.#ended) return
    this.#connection = undefined
    this.#liveness?.stop()
    this.channel.disconnected()
    this.#downSince = this.#options.clock.now()
    this.#options.onLink?.({ up: false, reason })
    if (!this.#ended) this.#dial()
  }

  #startTicking(): void {
    if (this.#ticking) return
    this.#ticking = true
    this.#options.clock.after(TICK, () => {
      this.#ticking = false
      if (this.#ended) return
      this.channel.tick()
      if (!this.channel.drained && this.#connection !== undefined) this.#startTicking()
    })
  }
}
