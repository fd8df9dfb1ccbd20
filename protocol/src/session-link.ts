import type { Clock } from './clock.ts'
import type { Crypto } from './crypto.ts'
import { DataChannel, type DataChannelOptions } from './data-channel.ts'
import { ProtocolError } from './errors.ts'
import { Liveness } from './liveness.ts'
import { type Backoff, DATA_CHANNEL_BACKOFF, reconnectDelay } from './reconnect.ts'
import type { Connection } from './transport/transport.ts'

/** How long an acknowledgement may wait for more to acknowledge, ms; far less than the shortest time-out. */
const ACKNOWLEDGE_WITHIN = 20
/** How often a channel with something under way looks for overdue messages, ms. */
const TICK = 50
/** A connection without any sign of life for this long after a ping is dead, ms. */
const PONG_TIMEOUT = 8_000
/**
 * A connection that broke sooner, and before anything came through, proves nothing: a server that closes what it
 * accepts is not dialled in a loop, ms.
 */
const STABLE_AFTER = 5_000
/**
 * Bytes waiting in a connection that is not read on before some are gone. Windows keep honest peers far below; one
 * that acknowledges what it does not read, or repeats itself without reading the answers, meets this.
 */
const CONNECTION_LIMIT = 4 * 1024 * 1024
const PROTOCOL_ERROR_CLOSE = 1002
const NORMAL_CLOSE = 1000

/** Thrown by `dial` when no further attempt can succeed: the session is over. */
export class SessionGoneError extends Error {
  override readonly name = 'SessionGoneError'
}

export type SessionLinkOptions = Pick<
  DataChannelOptions,
  'role' | 'deliver' | 'onWritable' | 'onClosed' | 'onPeer' | 'onNotice'
> & {
  crypto: Crypto
  clock: Clock
  /**
   * Opens a connection and sends its opening frame. Rejects with `SessionGoneError` when the session is over;
   * any other rejection is tried again.
   */
  dial: () => Promise<Connection>
  /** How long to go on dialling without a connection that lasts, ms. */
  giveUpAfter: number
  pingEvery: number
  backoff?: Backoff
  /** The connection is up (again), or lost for the reason given; the stream itself goes on. */
  onLink?: (state: { up: true } | { up: false; reason: string }) => void
  /**
   * No more connections will be made: the session is over, no connection could be had, or the peer said something
   * that it would only repeat. Not called after `close`.
   */
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
  #upSince = 0
  #upWith = 0
  #flushing = false
  #liveness: Liveness | undefined
  #cancelDial: () => void = () => {}
  #cancelTick: (() => void) | undefined
  #cancelFlush: (() => void) | undefined

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
      onNotice: text => options.onNotice?.(text),
      // Not at once: whoever was sending is in the middle of something.
      onOverflow: error => options.clock.soon(() => this.#gone(error.message)),
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

  /** The consumer that answered false to `deliver` can take more. */
  resume(): void {
    this.#take(() => this.channel.resume())
  }

  /** Ends the link for good, without a word to the owner. */
  close(): void {
    const connection = this.#connection
    this.#end()
    connection?.close(NORMAL_CLOSE, '')
  }

  /** Sends a frame that is no part of the numbered stream; lost if no connection is up. */
  sendUnnumbered(frame: Uint8Array): void {
    this.#connection?.send(frame)
  }

  #end(): void {
    this.#ended = true
    this.#disconnect()
    this.#cancelDial()
  }

  #disconnect(): void {
    this.#connection = undefined
    this.#liveness?.stop()
    this.#cancelTick?.()
    this.#cancelTick = undefined
    this.#cancelFlush?.()
    this.#cancelFlush = undefined
    this.channel.disconnected()
  }

  #dial(): void {
    this.#options.dial().then(
      connection => this.#attach(connection),
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error)
        if (error instanceof SessionGoneError) this.#gone(reason)
        else this.#dialLater(reason)
      },
    )
  }

  #dialLater(reason: string): void {
    if (this.#ended) return
    const { clock, crypto, giveUpAfter, backoff = DATA_CHANNEL_BACKOFF } = this.#options
    if (clock.now() - this.#downSince > giveUpAfter) {
      return this.#gone(`no connection for ${Math.round(giveUpAfter / 1000)} s: ${reason}`)
    }
    this.#cancelDial = clock.after(reconnectDelay(crypto, backoff, this.#attempt++), () => this.#dial())
  }

  #gone(reason: string): void {
    if (this.#ended) return
    this.#end()
    this.#options.onGone(reason)
  }

  #attach(connection: Connection): void {
    if (this.#ended) {
      connection.close(NORMAL_CLOSE, '')
      return
    }
    const { clock, pingEvery } = this.#options
    const liveness = new Liveness({
      clock,
      connection,
      pingEvery,
      pongTimeout: PONG_TIMEOUT,
      excused: () => this.channel.congested,
      onDead: () => this.#lost(connection, 'the connection went silent'),
    })
    this.#liveness = liveness
    this.#connection = connection
    this.#upSince = clock.now()
    this.#upWith = this.channel.progress
    this.#options.onLink?.({ up: true })
    // Its owner may have ended the link.
    if (this.#connection === connection) this.channel.connected()
    // Last, since it hands over at once what came early, be it the end of the connection.
    connection.events = {
      message: data => {
        liveness.seen()
        this.#receive(connection, data)
      },
      drain: () => this.#flushSoon(),
      pong: () => liveness.seen(),
      close: (code, reason) => this.#lost(connection, reason === '' ? `connection closed (${code})` : reason),
    }
  }

  #receive(connection: Connection, data: Uint8Array): void {
    if (this.#connection === connection) this.#take(() => this.channel.receive(data))
  }

  /** What comes, or waited, may make no sense to the channel or to whom it is delivered. */
  #take(step: () => void): void {
    const connection = this.#connection
    try {
      step()
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      connection?.close(PROTOCOL_ERROR_CLOSE, error.message)
      if (error.retryable && connection !== undefined) this.#lost(connection, error.message)
      else this.#gone(error.message)
      return
    }
    this.#flushSoon()
  }

  /** At the end of this turn, acknowledges what was consumed if that is due, and reads on or not. */
  #flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    this.#options.clock.soon(() => {
      this.#flushing = false
      this.#acknowledge()
      const connection = this.#connection
      if (connection === undefined) return
      if (this.channel.congested || connection.bufferedBytes > CONNECTION_LIMIT) connection.pause()
      else connection.resume()
    })
  }

  #acknowledge(): void {
    if (this.channel.acknowledgement === 'due') this.channel.flush()
    else if (this.channel.acknowledgement === 'can-wait') {
      this.#cancelFlush ??= this.#options.clock.after(ACKNOWLEDGE_WITHIN, () => {
        this.#cancelFlush = undefined
        this.channel.flush()
      })
    }
  }

  #lost(connection: Connection, reason: string): void {
    if (this.#connection !== connection) return
    this.#disconnect()
    const now = this.#options.clock.now()
    if (now - this.#upSince >= STABLE_AFTER || this.channel.progress > this.#upWith) {
      this.#attempt = 0
      this.#downSince = now
    }
    this.#options.onLink?.({ up: false, reason })
    this.#dialLater(reason)
  }

  #startTicking(): void {
    this.#cancelTick ??= this.#options.clock.after(TICK, () => {
      this.#cancelTick = undefined
      this.channel.tick()
      if (this.channel.underWay) this.#startTicking()
    })
  }
}
