import type { Message } from './message.ts'

/** Bytes of messages that came before their turn, or before anybody could take them. */
export const INCOMING_LIMIT = 4 * 1024 * 1024
/** Stock receivers keep as many out of order (data-plane.md 10.5); a gap beyond that is an attack. */
export const MAXIMUM_AHEAD = 10_000

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
   * `consumed` collects, in order, every message that was handed over because of this one. A message that is
   * refused must not be acknowledged: its sender still has it.
   */
  receive(message: Message, consumed: (message: Message) => void): Reception {
    const { sequenceNumber } = message
    if (sequenceNumber < this.#expected || this.#waiting.has(sequenceNumber)) {
      return sequenceNumber < this.#expected ? 'duplicate' : this.#reception(sequenceNumber)
    }
    if (sequenceNumber > this.#expected || this.#blocked) {
      if (!this.#keep(message)) return 'refused'
      return this.#reception(sequenceNumber)
    }
    if (!this.#deliver(message)) {
      this.#blocked = true
      return this.#keep(message) ? 'blocked' : 'refused'
    }
    this.#expected++
    consumed(message)
    this.#drain(consumed)
    return 'consumed'
  }

  /** Somebody can take messages again. */
  resume(consumed: (message: Message) => void): void {
    this.#blocked = false
    this.#drain(consumed)
  }

  #drain(consumed: (message: Message) => void): void {
    for (;;) {
      const message = this.#waiting.get(this.#expected)
      if (message === undefined || this.#blocked) return
      if (!this.#deliver(message)) {
        this.#blocked = true
        return
      }
      this.#waiting.delete(this.#expected)
      this.#bytes -= message.payload.length
      this.#expected++
      consumed(message)
    }
  }

  /** A message behind a gap is safe with us; one behind a consumer that is busy must keep its sender's window shut. */
  #reception(sequenceNumber: number): Reception {
    return this.#blocked || sequenceNumber === this.#expected ? 'blocked' : 'buffered'
  }

  #keep(message: Message): boolean {
    const ahead = message.sequenceNumber - this.#expected
    if (ahead > MAXIMUM_AHEAD || this.#bytes + message.payload.length > INCOMING_LIMIT) return false
    this.#waiting.set(message.sequenceNumber, message)
    this.#bytes += message.payload.length
    return true
  }
}
