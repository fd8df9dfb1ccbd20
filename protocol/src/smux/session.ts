import {
  badSmux,
  readSmuxReason,
  readSmuxUpdate,
  SmuxCommand,
  SmuxFrameReader,
  type SmuxVersion,
  smuxHeader,
  smuxReset,
} from './frame.ts'
import { STREAM_WINDOW } from './sending.ts'
import { SmuxStream, type SmuxStreamHost } from './stream.ts'

/** Streams that are open at once; a SYN beyond is answered with an end (upstream's accept backlog is the same). */
export const MAXIMUM_STREAMS = 1024
/** So many refused streams without one that ended: the peer is not trying to get work done. */
export const MAXIMUM_REFUSALS = 1024
/** Version 1: unread bytes of all streams at which a session stops reading (upstream `MaxReceiveBuffer`). */
export const SESSION_BUFFER = 4 * 1024 * 1024

/** Version 2: what all windows together may grow to; each may have `STREAM_WINDOW` in any case. */
const SESSION_WINDOW = 16 * 1024 * 1024
const WIDEST_STREAM_WINDOW = 2 * 1024 * 1024
/** What all writers together may keep waiting; each may have `LEAST_SEND_BUFFER` in any case. */
const SESSION_SEND_BUFFER = 16 * 1024 * 1024
const LEAST_SEND_BUFFER = 64 * 1024
const WIDEST_SEND_BUFFER = 256 * 1024

/** Bytes of whole frames in one turn: version 1 fills 32 messages of a stock peer, version 2 one of ours. */
const MAXIMUM_FRAME = { 1: 32 * 1024, 2: 64 * 1024 } as const
/** SYN, UPD, and a PSH with a byte of data must fit. */
const LEAST_MAXIMUM_FRAME = 64

const FIRST_STREAM_ID = 3
const LAST_STREAM_ID = 0xffff_ffff

export type SmuxOptions = {
  /** The client's streams are 3, 5, 7…; only the client opens streams. */
  role: 'client' | 'server'
  version: SmuxVersion
  /** Bytes that one call of `send` has at most, where the byte stream beneath takes other than 64 KiB at once. */
  maximumFrame?: number
  /** Puts whole frames, given in parts that belong together, on the byte stream beneath. False: it is full; call `onRoom`. */
  send: (parts: readonly Uint8Array[]) => boolean
  /** Server: the peer opened a stream. What comes is kept until `stream.events` is set. */
  onStream?: (stream: SmuxStream) => void
  /** Reading can go on (after `receive` answered false). */
  onConsumed?: () => void
}

/**
 * Many streams over one byte stream (data-plane.md 15.4). A pure state machine: it never waits, and no stream waits
 * for another but in version 1, where the peer cannot be told which stream to hold back.
 */
export class SmuxSession {
  readonly #options: SmuxOptions
  readonly #reader: SmuxFrameReader
  readonly #host: SmuxStreamHost
  readonly #streams = new Map<number, SmuxStream>()
  /** Streams that have something to send, in the order of their turns. */
  readonly #waiting = new Set<SmuxStream>()
  #refused: number[] = []
  #refusals = 0
  #nextStreamId = FIRST_STREAM_ID
  #unread = 0
  #full = false
  #sending = false
  #receiving = false
  /** `receive` answered false and `onConsumed` has not been called yet. */
  #holding = false
  #closed = false

  constructor(options: SmuxOptions) {
    this.#options = options
    this.#reader = new SmuxFrameReader(options.version, (command, streamId, data) =>
      this.#onFrame(command, streamId, data),
    )
    this.#host = this.#makeHost()
  }

  get streamCount(): number {
    return this.#streams.size
  }

  /** Whether `receive` would answer false: bring nothing until `onConsumed`. */
  get congested(): boolean {
    return this.#options.version === 1 && this.#unread >= SESSION_BUFFER
  }

  /**
   * Bytes held in both directions. Unread ones: in version 1 at most `SESSION_BUFFER` and one chunk, in version 2 at
   * most the windows, `SESSION_WINDOW` and `STREAM_WINDOW` for each stream. Written ones: as much again.
   */
  get bufferedBytes(): number {
    if (this.#closed) return 0
    let total = this.#reader.bufferedBytes
    for (const stream of this.#streams.values()) total += stream.bufferedBytes
    return total
  }

  /**
   * Opens a stream; set its `events`. The peer hears of it at once, or `quietly` with its first bytes, its end, or by
   * `announce`. Throws RangeError when `MAXIMUM_STREAMS` are open, or after `close`.
   */
  open(how?: 'quietly'): SmuxStream {
    if (this.#options.role === 'server')
      throw new RangeError('only the client of a smux session opens streams')
    if (this.#closed) throw new RangeError('the smux session is closed')
    if (this.#streams.size >= MAXIMUM_STREAMS)
      throw new RangeError(`${MAXIMUM_STREAMS} streams are open already`)
    if (this.#nextStreamId > LAST_STREAM_ID)
      throw new RangeError('the smux session has used up its stream ids')
    const stream = new SmuxStream(this.#nextStreamId, this.#host, 'by-us')
    this.#nextStreamId += 2
    this.#streams.set(stream.id, stream)
    if (how !== 'quietly') stream.announce()
    return stream
  }

  /**
   * Takes bytes of the byte stream beneath, cut anywhere. False: they were taken, but bring no more until
   * `onConsumed`. Throws `ProtocolError` 'bad-smux-frame', and all streams have been reset then.
   */
  receive(chunk: Uint8Array): boolean {
    if (this.#closed) return true
    if (this.#receiving) throw new RangeError('smux bytes came while others were being taken')
    this.#receiving = true
    try {
      this.#reader.push(chunk)
    } catch (error) {
      this.close(error instanceof Error ? error.message : String(error))
      throw error
    } finally {
      this.#receiving = false
    }
    this.#holding = this.congested
    return !this.#holding
  }

  /** The byte stream beneath takes more: waiting streams go on, in turns. */
  onRoom(): void {
    this.#full = false
    this.#takeTurns()
  }

  /** Ends every stream: `events.reset` with the reason. The peer is told by what happens to the byte stream. */
  close(reason: string): void {
    if (this.#closed) return
    this.#closed = true
    for (const stream of [...this.#streams.values()]) stream.abort(reason)
    this.#waiting.clear()
    this.#refused = []
  }

  #makeHost(): SmuxStreamHost {
    const session = this
    const { version, maximumFrame } = this.#options
    return {
      version,
      maximumFrame: Math.max(maximumFrame ?? MAXIMUM_FRAME[version], LEAST_MAXIMUM_FRAME),
      get receiveWindow() {
        return session.#share(SESSION_WINDOW, STREAM_WINDOW, WIDEST_STREAM_WINDOW)
      },
      get sendBuffer() {
        return session.#share(SESSION_SEND_BUFFER, LEAST_SEND_BUFFER, WIDEST_SEND_BUFFER)
      },
      send: parts => {
        if (!this.#options.send(parts)) this.#full = true
      },
      ready: stream => {
        this.#waiting.add(stream)
        this.#takeTurns()
      },
      unread: difference => this.#countUnread(difference),
      left: stream => this.#forget(stream),
    }
  }

  /** What one stream gets of something that all share. */
  #share(total: number, least: number, most: number): number {
    return Math.min(most, Math.max(least, Math.floor(total / Math.max(1, this.#streams.size))))
  }

  /** One message for each stream in turn, so that a stream with much to send does not keep the others waiting. */
  #takeTurns(): void {
    if (this.#sending) return
    this.#sending = true
    try {
      this.#sendRefusals()
      // A stream that wants another turn is added again, at the end, and this loop sees it there.
      for (const stream of this.#waiting) {
        if (this.#full || this.#closed) return
        this.#waiting.delete(stream)
        stream.takeTurn()
      }
    } finally {
      this.#sending = false
    }
  }

  #sendRefusals(): void {
    while (!this.#full && !this.#closed) {
      const streamId = this.#refused.pop()
      if (streamId === undefined) return
      this.#host.send(
        this.#options.version === 2
          ? smuxReset(streamId, `${MAXIMUM_STREAMS} streams are open already`)
          : [smuxHeader(1, SmuxCommand.fin, streamId)],
      )
    }
  }

  #onFrame(command: number, streamId: number, data: Uint8Array): void {
    if (this.#closed) return
    switch (command) {
      case SmuxCommand.syn:
        this.#accept(streamId)
        return
      // Frames for a stream that is not there cross our own FIN or RST on their way: they are skipped.
      case SmuxCommand.psh:
        this.#streams.get(streamId)?.receive(data)
        return
      case SmuxCommand.fin:
        this.#streams.get(streamId)?.finish()
        return
      case SmuxCommand.upd:
        this.#streams.get(streamId)?.update(readSmuxUpdate(data))
        return
      case SmuxCommand.rst:
        this.#streams.get(streamId)?.abort(readSmuxReason(data))
        return
      default:
        return
    }
  }

  #accept(streamId: number): void {
    if (this.#options.role === 'client') throw badSmux(`the server opened stream ${streamId}`)
    if (streamId % 2 === 0) throw badSmux(`the client opened stream ${streamId}, which is not one of its own`)
    if (this.#streams.has(streamId)) throw badSmux(`stream ${streamId} was opened twice`)
    if (this.#streams.size >= MAXIMUM_STREAMS) {
      this.#refuse(streamId)
      return
    }
    const stream = new SmuxStream(streamId, this.#host, 'by-peer')
    this.#streams.set(streamId, stream)
    if (this.#options.onStream === undefined) stream.reset('nobody takes streams here')
    else this.#options.onStream(stream)
  }

  #refuse(streamId: number): void {
    if (++this.#refusals > MAXIMUM_REFUSALS || this.#refused.length >= MAXIMUM_REFUSALS) {
      throw badSmux(`the peer goes on opening streams where ${MAXIMUM_STREAMS} are open`)
    }
    this.#refused.push(streamId)
    this.#takeTurns()
  }

  #forget(stream: SmuxStream): void {
    this.#streams.delete(stream.id)
    this.#waiting.delete(stream)
    this.#refusals = 0
  }

  #countUnread(difference: number): void {
    this.#unread += difference
    if (!this.#holding || this.congested || this.#closed) return
    this.#holding = false
    this.#options.onConsumed?.()
  }
}
