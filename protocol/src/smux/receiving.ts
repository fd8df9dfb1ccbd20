import { ByteQueue, ownedBytes } from '../byte-queue.ts'
import { badSmux, type SmuxUpdate, type SmuxVersion } from './frame.ts'
import { STREAM_WINDOW } from './sending.ts'

/** A reader that consumed less since its last UPD need not send one, as far as the window lasts. */
const LEAST_UPDATE = 64 * 1024
/** An UPD is due when it widens what may come by this share of the window. */
const UPDATED_SHARE = 1 / 2

/** Who takes what a stream receives. */
export type Reader = {
  /** False: taken, but no more until `resume`. */
  data(chunk: Uint8Array): boolean
  end(): void
  /** The bytes that nobody took have become more, or fewer. */
  unread(difference: number): void
}

/** The half of a stream that receives: keeps what its reader cannot take yet, and grants the peer its window. */
export class ReceivingHalf {
  readonly #version: SmuxVersion
  readonly #streamId: number
  readonly #reader: Reader
  readonly #queue = new ByteQueue()
  #state: 'open' | 'ending' | 'ended' = 'open'
  /** True until `resume`: at first nobody is there to take anything. */
  #paused = true
  #delivering = false
  #received = 0
  #consumed = 0
  /** What the peer was told of `#consumed`, and how far it may send. */
  #reported = 0
  #edge: number

  constructor(version: SmuxVersion, streamId: number, reader: Reader) {
    this.#version = version
    this.#streamId = streamId
    this.#reader = reader
    this.#edge = version === 1 ? Number.POSITIVE_INFINITY : STREAM_WINDOW
  }

  get bufferedBytes(): number {
    return this.#queue.size
  }

  /** Whether the reader has seen the end. */
  get ended(): boolean {
    return this.#state === 'ended'
  }

  /** Whether the peer may have more to say. */
  get open(): boolean {
    return this.#state === 'open'
  }

  /** Throws `ProtocolError` for data beyond the window or behind the end. */
  receive(data: Uint8Array): void {
    if (this.#state !== 'open') {
      // A stock peer that closes a stream may still be writing to it from another goroutine.
      if (this.#version === 1) return
      throw badSmux(`data on stream ${this.#streamId} after its end`)
    }
    this.#received += data.length
    if (this.#received > this.#edge) throw badSmux(`data beyond the window of stream ${this.#streamId}`)
    if (this.#paused || this.#delivering) {
      this.#queue.gather(data)
      this.#reader.unread(data.length)
      return
    }
    this.#delivering = true
    this.#hand(ownedBytes(data))
    this.#delivering = false
    this.#drain()
  }

  /** Nothing more comes. */
  finish(): void {
    if (this.#state !== 'open') return
    this.#state = 'ending'
    this.#drain()
  }

  /** The reader can take more. */
  resume(): void {
    this.#paused = false
    this.#drain()
  }

  /** Nobody will ever read what is here. */
  drop(): void {
    this.#state = 'ended'
    this.#reader.unread(-this.#queue.size)
    this.#queue.clear()
  }

  /** Whether the peer should hear what was consumed, if its window is to be `window` bytes. */
  updateIsDue(window: number): boolean {
    return (
      this.#version === 2 &&
      this.#state === 'open' &&
      this.#consumed - this.#reported >= LEAST_UPDATE &&
      this.#consumed + window - this.#edge >= UPDATED_SHARE * window
    )
  }

  /** To be called when `updateIsDue`: the window never ends before where it ended. */
  takeUpdate(window: number): SmuxUpdate {
    this.#reported = this.#consumed
    this.#edge = this.#consumed + window
    return { consumed: this.#consumed, window }
  }

  /** The reader may come back here from what it is called with: nothing must overtake what it is being handed. */
  #drain(): void {
    if (this.#delivering) return
    this.#delivering = true
    while (!this.#paused) {
      const chunk = this.#queue.shift()
      if (chunk === undefined) break
      this.#hand(chunk)
      this.#reader.unread(-chunk.length)
    }
    this.#delivering = false
    if (this.#state !== 'ending' || this.#paused) return
    this.#state = 'ended'
    this.#reader.end()
  }

  #hand(chunk: Uint8Array): void {
    // A reader that resumes before it answers has the last word.
    this.#paused = true
    this.#consumed += chunk.length
    if (this.#reader.data(chunk)) this.#paused = false
  }
}
