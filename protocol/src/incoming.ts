import { ownedBytes } from './byte-queue.ts'
import type { Message } from './message.ts'

/** Bytes of messages that came before their turn, or before anybody could take them. */
export const INCOMING_LIMIT = 4 * 1024 * 1024
/** Stock receivers keep as many out of order (data-plane.md 10.5); a gap beyond that is an attack. */
export const MAXIMUM_AHEAD = 10_000
/** A consumer that leaves so much of both waiting is too slow for what comes. */
const CONGESTED_AT = 1 / 4

/** What became of a stream message, and so whether it is to be acknowledged. */
export type Reception = 'consumed' | 'buffered' | 'duplicate' | 'blocked' | 'refused'

/**
 * The receiving half of a data channel: puts messages in order and hands each to `deliver` once. `deliver`
 * answers false while nobody can take the message: it is kept, unacknowledged, until `resume`.
 */
export class Incoming {
  readonly #deliver: (message: Message) => boolean
  readonly #waiting = new Map<number, Message>()
  #expected = 0
  #bytes = 0
  #blocked = false
  #delivering = false

  constructor(deliver: (message: Message) => boolean) {
    this.#deliver = deliver
  }

  /** Every message below this number has been consumed. */
  get expected(): number {
    return this.#expected
  }

  get bufferedBytes(): number {
    return this.#bytes
  }

  /**
   * Whether the sender should be slowed down through its connection: a stock one knows no window, and what is
   * refused comes again at ten messages a second (data-plane.md 10.3). Never while only a message is missing.
   */
  get congested(): boolean {
    return (
      this.#blocked &&
      (this.#bytes > CONGESTED_AT * INCOMING_LIMIT || this.#waiting.size > CONGESTED_AT * MAXIMUM_AHEAD)
    )
  }

  /**
   * `consumed` collects, in order, every message that was handed over because of this one. A message that is
   * refused must not be acknowledged: its sender still has it.
   */
  receive(message: Message, consumed: (message: Message) => void): Reception {
    const { sequenceNumber } = message
    if (sequenceNumber < this.#expected) return 'duplicate'
    if (this.#waiting.has(sequenceNumber)) return this.#reception(sequenceNumber)
    // The one that all others wait for always finds room.
    const next = sequenceNumber === this.#expected && !this.#blocked && !this.#delivering
    if (!next && !this.#hasRoomFor(message)) return 'refused'
    this.#waiting.set(sequenceNumber, next ? message : { ...message, payload: ownedBytes(message.payload) })
    this.#bytes += message.payload.length
    this.#drain(consumed)
    return sequenceNumber < this.#expected ? 'consumed' : this.#reception(sequenceNumber)
  }

  /** Somebody can take messages again. */
  resume(consumed: (message: Message) => void): void {
    this.#blocked = false
    this.#drain(consumed)
  }

  /** `deliver` may come back here; the message that it is being handed must not reach it twice. */
  #drain(consumed: (message: Message) => void): void {
    if (this.#delivering) return
    this.#delivering = true
    try {
      while (!this.#blocked) {
        const message = this.#waiting.get(this.#expected)
        if (message === undefined) return
        this.#blocked = !this.#deliver(message)
        if (this.#blocked) return
        this.#waiting.delete(this.#expected)
        this.#bytes -= message.payload.length
        this.#expected++
        consumed(message)
      }
    } finally {
      this.#delivering = false
    }
  }

  /** A message behind a gap is safe with us; one behind a consumer that is busy must keep its sender's window shut. */
  #reception(sequenceNumber: number): Reception {
    return this.#blocked || sequenceNumber === this.#expected ? 'blocked' : 'buffered'
  }

  #hasRoomFor(message: Message): boolean {
    const ahead = message.sequenceNumber - this.#expected
    return ahead <= MAXIMUM_AHEAD && this.#bytes + message.payload.length <= INCOMING_LIMIT
  }
}
