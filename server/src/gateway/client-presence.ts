import type { Clock } from '@sallyport/protocol/clock'

/** A client that resumes does so within milliseconds (observed.md 5): that is worth no writes. */
export const DISCONNECTED_AFTER = 2_000

export type RecordedPresence = 'Connected' | 'Disconnected'

/** What the record of a session says of its client; one that comes and goes is written down a few times a minute at most. */
export class ClientPresence {
  readonly #clock: Clock
  readonly #record: (status: RecordedPresence) => void
  #recorded: RecordedPresence
  #cancel: () => void = () => {}

  constructor(clock: Clock, recorded: RecordedPresence, record: (status: RecordedPresence) => void) {
    this.#clock = clock
    this.#recorded = recorded
    this.#record = record
  }

  came(): void {
    this.#cancel()
    this.#note('Connected')
  }

  /** The session goes on, and may be resumed. */
  went(): void {
    this.#cancel()
    this.#cancel = this.#clock.after(DISCONNECTED_AFTER, () => this.#note('Disconnected'))
  }

  stop(): void {
    this.#cancel()
  }

  #note(status: RecordedPresence): void {
    if (status === this.#recorded) return
    this.#recorded = status
    this.#record(status)
  }
}
