/** No stock plugin acknowledges further ahead than it keeps messages out of order (data-plane.md 10.5). */
const MAXIMUM_AHEAD = 10_000

/**
 * Remembers which messages the client's end acknowledged: everything below a mark, and a few beyond it. A stock
 * plugin acknowledges a message once only, so the gateway answers for it when that acknowledgement was lost
 * (data-plane.md 16.3).
 */
export class AckMemory {
  #below = 0
  readonly #beyond = new Set<number>()

  add(sequenceNumber: number): void {
    const ahead = sequenceNumber - this.#below
    if (!Number.isSafeInteger(sequenceNumber) || ahead < 0 || ahead > MAXIMUM_AHEAD) return
    this.#beyond.add(sequenceNumber)
    this.#advance()
  }

  /** A cumulative acknowledgement; never beyond `sent`, the highest number that the other end has sent. */
  addThrough(sequenceNumber: number, sent: number): void {
    const below = Math.min(sequenceNumber, sent) + 1
    if (!Number.isSafeInteger(below) || below <= this.#below) return
    this.#below = below
    for (const number of this.#beyond) if (number < below) this.#beyond.delete(number)
    this.#advance()
  }

  has(sequenceNumber: number): boolean {
    return sequenceNumber < this.#below || this.#beyond.has(sequenceNumber)
  }

  #advance(): void {
    while (this.#beyond.delete(this.#below)) this.#below++
  }
}
