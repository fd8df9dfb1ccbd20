/** Gaps are rare: frames come in order, and a client acknowledges what it gets. Beyond this the lowest are forgotten. */
export const MAXIMUM_RANGES = 1_000

/** Sequence numbers, both ends included. */
type Range = { from: number; through: number }

/**
 * Remembers which messages the client's end acknowledged. A stock plugin acknowledges a message once only, so the
 * gateway answers for it when that acknowledgement was lost (data-plane.md 16.3). Kept as ranges, since a relay
 * that begins in the middle of a session, after a restart, knows nothing of the numbers before.
 */
export class AckMemory {
  /** Ascending; no two overlap or touch. */
  readonly #ranges: Range[] = []

  add(sequenceNumber: number): void {
    this.#cover(sequenceNumber, sequenceNumber)
  }

  /** A cumulative acknowledgement; never beyond `sent`, the highest number that the other end has sent. */
  addThrough(sequenceNumber: number, sent: number): void {
    this.#cover(0, Math.min(sequenceNumber, sent))
  }

  has(sequenceNumber: number): boolean {
    const range = this.#ranges[this.#firstThrough(sequenceNumber)]
    return range !== undefined && range.from <= sequenceNumber
  }

  #cover(from: number, through: number): void {
    if (!Number.isSafeInteger(through) || through < 0) return
    const first = this.#firstThrough(from - 1)
    const merged = { from, through }
    let end = first
    for (; end < this.#ranges.length; end++) {
      const range = this.#ranges[end]
      if (range === undefined || range.from > through + 1) break
      merged.from = Math.min(merged.from, range.from)
      merged.through = Math.max(merged.through, range.through)
    }
    this.#ranges.splice(first, end - first, merged)
    if (this.#ranges.length > MAXIMUM_RANGES) this.#ranges.shift()
  }

  /** Index of the first range that reaches `sequenceNumber`. */
  #firstThrough(sequenceNumber: number): number {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#ranges[middle]?.through ?? 0) < sequenceNumber) low = middle + 1
      else high = middle
    }
    return low
  }
}
