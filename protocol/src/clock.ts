/** Time, handed in: a pure package has no timers, and tests have no patience. */
export type Clock = {
  /** Milliseconds since the epoch. */
  now(): number
  /** Milliseconds since some moment; it never steps, whoever sets the machine's time. */
  monotonic(): number
  /** Calls back once after so many milliseconds; the answer cancels it. */
  after(milliseconds: number, callback: () => void): () => void
  /** Calls back when the work at hand is done: at the end of this turn of the event loop. */
  soon(callback: () => void): void
}
