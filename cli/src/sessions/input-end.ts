import type { Clock } from '@sallyport/protocol/clock'

/** What a terminal sends for Ctrl-D: who reads it at the start of a line has come to the end of the input. */
const END_OF_TRANSMISSION = Uint8Array.of(4)
/** A shell that has printed its prompt reads. */
const QUIET_MS = 100
const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 10_000

type Options = {
  clock: Pick<Clock, 'after'>
  /** False: not more until `onRoom`. */
  send: (bytes: Uint8Array) => boolean
}

/**
 * The end of a script's input, towards a terminal, which has no such thing: Ctrl-D is a key like any other, and lost
 * when nobody reads at the time (a shell that edits lines drops what was typed before it took the terminal over).
 * So it is typed again, whenever the node has printed something and fallen silent, until the session is over.
 */
export class InputEnd {
  readonly #options: Options
  #cancel: () => void = () => {}
  #wait = FIRST_WAIT_MS
  #state: 'before' | 'typing' | 'full' | 'over' = 'before'

  constructor(options: Options) {
    this.#options = options
  }

  begin(): void {
    if (this.#state !== 'before') return
    this.#state = 'typing'
    this.#type()
  }

  onOutput(): void {
    if (this.#state === 'typing') this.#typeAfter(QUIET_MS)
  }

  onRoom(): void {
    if (this.#state !== 'full') return
    this.#state = 'typing'
    this.#typeAfter(this.#wait)
  }

  stop(): void {
    this.#state = 'over'
    this.#cancel()
  }

  #type(): void {
    if (!this.#options.send(END_OF_TRANSMISSION)) {
      this.#state = 'full'
      return
    }
    this.#typeAfter(this.#wait)
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS)
  }

  #typeAfter(milliseconds: number): void {
    this.#cancel()
    this.#cancel = this.#options.clock.after(milliseconds, () => this.#type())
  }
}
