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
  timeout: number
  /** `timeout`, doubled for every time that it has run out since the last sample. */
  patience: number
  readonly #minimum: number
  readonly #maximum: number

  constructor(minimum = 0, maximum = STOCK_MAXIMUM_RTO) {
    this.#minimum = minimum
    this.#maximum = maximum
    this.timeout = this.#bounded(INITIAL_RTO)
    this.patience = this.timeout
  }

  sample(milliseconds: number): void {
    this.variation += VARIATION_GAIN * (Math.abs(this.roundTrip - milliseconds) - this.variation)
    this.roundTrip += RTT_GAIN * (milliseconds - this.roundTrip)
    this.timeout = this.#bounded(this.roundTrip + Math.max(MINIMUM_MARGIN, MARGIN_FACTOR * this.variation))
    this.patience = this.timeout
  }

  /** RFC 6298 5.5: after a time-out the next one takes twice as long. A later sample restores the estimate. */
  backOff(): void {
    this.patience = this.#bounded(2 * this.patience)
  }

  #bounded(milliseconds: number): number {
    return Math.min(this.#maximum, Math.max(this.#minimum, milliseconds))
  }
}
