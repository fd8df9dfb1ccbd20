/**
 * Looks at everything again whenever something has changed: one pass at a time, and another one only if something
 * changed meanwhile, however often.
 */
export class SessionReview {
  readonly #pass: () => Promise<void>
  readonly #onError: (error: unknown) => void
  #running = false
  #again = false

  constructor(pass: () => Promise<void>, onError: (error: unknown) => void) {
    this.#pass = pass
    this.#onError = onError
  }

  request(): void {
    this.#again = true
    if (!this.#running) void this.#run()
  }

  async #run(): Promise<void> {
    this.#running = true
    while (this.#again) {
      this.#again = false
      await this.#pass().catch(this.#onError)
    }
    this.#running = false
  }
}
