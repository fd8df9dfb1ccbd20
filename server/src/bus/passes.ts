import type { Clock } from '@sallyport/protocol/clock'
import type { Bus } from './bus.ts'

/** Many events within this time are one occasion: a script that writes policies brings hundreds. */
const GATHERING_MS = 250
/** How soon a pass that failed is tried again. */
const RETRY_MS = 2_000

export type PassOptions = {
  bus: Bus
  subject: string
  clock: Clock
  /** Looks at everything that the events may have changed. It never runs twice at a time. */
  pass: () => Promise<void>
  onError: (error: unknown) => void
}

/** Runs a pass after every event, or after several together. */
export class Passes {
  readonly #options: PassOptions
  readonly #unsubscribe: () => void
  #cancel: (() => void) | undefined
  #running = false
  #again = false
  #closed = false

  constructor(options: PassOptions) {
    this.#options = options
    this.#unsubscribe = options.bus.subscribe(options.subject, () => this.request())
  }

  /** As an event does. */
  request(): void {
    this.#later(GATHERING_MS)
  }

  #later(ms: number): void {
    if (this.#closed) return
    this.#again = true
    if (this.#running || this.#cancel !== undefined) return
    this.#cancel = this.#options.clock.after(ms, () => {
      this.#cancel = undefined
      void this.#run()
    })
  }

  close(): void {
    this.#closed = true
    this.#unsubscribe()
    this.#cancel?.()
  }

  async #run(): Promise<void> {
    this.#running = true
    this.#again = false
    let wait = GATHERING_MS
    try {
      await this.#options.pass()
    } catch (error) {
      if (this.#closed) return
      // The store may be busy: what was not looked at still has to be.
      this.#options.onError(error)
      this.#again = true
      wait = RETRY_MS
    } finally {
      this.#running = false
    }
    if (this.#again) this.#later(wait)
  }
}
