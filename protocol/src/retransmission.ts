// Jacobson's estimator with the constants that both stock endpoints use (data-plane.md 10.3); all in ms.
const INITIAL_RTT = 100
const INITIAL_RTO = 200
const RTT_GAIN = 1 / 8
const VARIATION_GAIN = 1 / 4
const MINIMUM_MARGIN = 10
const MARGIN_FACTOR = 4
export const STOCK_MAXIMUM_RTO = 1000

/** Estimates how long an acknowledgement may take before a message counts as lost. */
export class RoundTripEstimate {
  roundTrip = INITIAL_RTT
  variation = 0
  timeout = INITIAL_RTO
  readonly #maximum: number

  constructor(maximum = STOCK_MAXIMUM_RTO) {
    this.#maximum = maximum
  }

  sample(milliseconds: number): void {
    this.variation += VARIATION_GAIN * (Math.abs(this.roundTrip - milliseconds) - this.variation)
    this.roundTrip += RTT_GAIN * (milliseconds - this.roundTrip)
    this.timeout = Math.min(
      this.#maximum,
      this.roundTrip + Math.max(MINIMUM_MARGIN, MARGIN_FACTOR * this.variation),
    )
  }

  /** RFC 6298 5.5: after a time-out the next one takes twice as long. A later sample restores the estimate. */
  backOff(): void {
    this.timeout = Math.min(this.#maximum, 2 * this.timeout)
  }
}
