/**
 * A message that came so often, over so long, while its reader acknowledged others, has been read (16.3). An agent
 * that thinks the line slow repeats it once a second.
 */
const REPETITIONS = 4
const REPEATED_FOR = 4_000

/**
 * Recognises a message that a stock agent repeats only because the acknowledgement of it died with the server
 * that had seen it: a ready plugin acknowledges everything it has not seen before (data-plane.md 16.3). Agents
 * repeat the head of their list alone, so one number is all there is to watch.
 */
export class RepeatedOutput {
  readonly #now: () => number
  #sequenceNumber = -1
  #count = 0
  #since = 0
  #othersAcknowledged = false
  #highestAcknowledged = -1

  constructor(now: () => number) {
    this.#now = now
  }

  clientAcknowledged(sequenceNumber: number): void {
    this.#othersAcknowledged = true
    this.#highestAcknowledged = Math.max(this.#highestAcknowledged, sequenceNumber)
  }

  /** To be asked for repetitions only, never for a message that is seen for the first time. */
  isConsumed(sequenceNumber: number): boolean {
    if (sequenceNumber !== this.#sequenceNumber) {
      this.#sequenceNumber = sequenceNumber
      this.#count = 0
      this.#since = this.#now()
      // What it got after this one tells as much as what it gets from now on; there may be no more for long.
      this.#othersAcknowledged = this.#highestAcknowledged > sequenceNumber
    }
    this.#count++
    return this.#count > REPETITIONS && this.#othersAcknowledged && this.#now() - this.#since > REPEATED_FOR
  }
}
