import { ByteQueue } from '../byte-queue.ts'
import {
  badSmux,
  SMUX_HEADER_SIZE,
  SMUX_MAXIMUM_DATA,
  SmuxCommand,
  type SmuxUpdate,
  type SmuxVersion,
  smuxHeader,
} from './frame.ts'

/** What a stream of version 2 may send before it hears of its peer (xtaci/smux `initialPeerWindow`). */
export const STREAM_WINDOW = 256 * 1024
/** A wider window would let the counters, which are modulo 2³², run into each other. */
const MAXIMUM_WINDOW = 0x7fff_ffff

/** The half of a stream that sends: what was written waits here for its turn and for the peer's window. */
export class SendingHalf {
  readonly #version: SmuxVersion
  readonly #streamId: number
  readonly #queue = new ByteQueue()
  #state: 'open' | 'ending' | 'ended' = 'open'
  /** Bytes sent, and bytes that the peer says it consumed; both modulo 2³². */
  #sent = 0
  #consumed = 0
  #window: number

  constructor(version: SmuxVersion, streamId: number) {
    this.#version = version
    this.#streamId = streamId
    // data-plane.md 15.4: no flow control per stream in version 1.
    this.#window = version === 1 ? Number.POSITIVE_INFINITY : STREAM_WINDOW
  }

  get bufferedBytes(): number {
    return this.#queue.size
  }

  /** Whether more may be written. */
  get open(): boolean {
    return this.#state === 'open'
  }

  /** Whether the peer was told that this was all, or wants no more. */
  get ended(): boolean {
    return this.#state === 'ended'
  }

  get wantsTurn(): boolean {
    return this.#queue.size > 0 ? this.#sendable > 0 : this.#state === 'ending'
  }

  push(chunk: Uint8Array): void {
    this.#queue.push(chunk)
  }

  /** No more will be written. */
  end(): void {
    if (this.#state === 'open') this.#state = 'ending'
  }

  /** Nothing more is sent, not even what waits. */
  drop(): void {
    this.#state = 'ended'
    this.#queue.clear()
  }

  /** Adds frames that take `room` bytes at most. */
  take(room: number, parts: Uint8Array[]): void {
    let left = room
    while (this.#queue.size > 0 && this.#sendable > 0 && left > SMUX_HEADER_SIZE) {
      const length = Math.min(left - SMUX_HEADER_SIZE, SMUX_MAXIMUM_DATA, this.#sendable, this.#queue.size)
      parts.push(smuxHeader(this.#version, SmuxCommand.psh, this.#streamId, length))
      this.#queue.take(length, parts)
      this.#sent = (this.#sent + length) >>> 0
      left -= SMUX_HEADER_SIZE + length
    }
    if (this.#state === 'ending' && this.#queue.size === 0 && left >= SMUX_HEADER_SIZE) {
      parts.push(smuxHeader(this.#version, SmuxCommand.fin, this.#streamId))
      this.#state = 'ended'
    }
  }

  /** Throws `ProtocolError` for a peer that has consumed more than it got, or takes back what it consumed. */
  update({ consumed, window }: SmuxUpdate): void {
    if (window > MAXIMUM_WINDOW) throw badSmux(`a window of ${window} bytes on stream ${this.#streamId}`)
    if ((this.#sent - consumed) >>> 0 > this.#underWay) {
      throw badSmux(`${consumed} bytes of stream ${this.#streamId} consumed, of ${this.#sent} sent`)
    }
    this.#consumed = consumed
    this.#window = window
  }

  get #underWay(): number {
    return (this.#sent - this.#consumed) >>> 0
  }

  get #sendable(): number {
    return Math.max(0, this.#window - this.#underWay)
  }
}
