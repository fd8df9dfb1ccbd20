import type { Clock } from './clock.ts'

/** Promises that wait for promises settle within this many turns of the microtask queue. */
const MICROTASK_TURNS = 20

type Timer = { at: number; callback: () => void }

/** A clock for tests: time passes when the test says so, and then all of it at once. */
export class ManualClock implements Clock {
  #now: number
  /** By time, and in the order of setting where that is the same. */
  readonly #timers: Timer[] = []
  #soon: Array<() => void> = []
  /** By how much the time was set back. */
  #setBack = 0

  constructor(now = 1_700_000_000_000) {
    this.#now = now
  }

  /** Timers set and neither run nor cancelled: what was left behind. */
  get pending(): number {
    return this.#timers.length
  }

  /** Whole milliseconds, as real clocks tell them. */
  readonly now = (): number => Math.floor(this.#now)

  readonly monotonic = (): number => this.#now + this.#setBack

  readonly after = (milliseconds: number, callback: () => void): (() => void) => {
    const timer = { at: this.#now + Math.max(0, milliseconds), callback }
    // From the end, where most belong.
    let place = this.#timers.length
    while (place > 0 && (this.#timers[place - 1]?.at ?? 0) > timer.at) place--
    this.#timers.splice(place, 0, timer)
    return () => {
      const index = this.#timers.indexOf(timer)
      if (index !== -1) this.#timers.splice(index, 1)
    }
  }

  readonly soon = (callback: () => void): void => {
    this.#soon.push(callback)
  }

  /** Runs everything that is due in the next so many milliseconds, what it sets up included. */
  advance(milliseconds: number): void {
    const until = this.#now + milliseconds
    this.#endTurn()
    while (this.#runNext(until)) this.#endTurn()
    this.#now = until
  }

  /** The same for code with promises in it: they settle before time goes on. */
  async play(milliseconds: number): Promise<void> {
    const until = this.#now + milliseconds
    await this.#settle()
    while (this.#runNext(until)) await this.#settle()
    this.#now = until
  }

  /** Sets the time without running anything, as an administrator does to a machine. */
  setBack(milliseconds: number): void {
    this.#now -= milliseconds
    this.#setBack += milliseconds
    for (const timer of this.#timers) timer.at -= milliseconds
  }

  #runNext(until: number): boolean {
    const timer = this.#timers[0]
    if (timer === undefined || timer.at > until) return false
    this.#timers.shift()
    this.#now = Math.max(this.#now, timer.at)
    timer.callback()
    return true
  }

  #endTurn(): void {
    while (this.#soon.length > 0) for (const callback of this.#soon.splice(0)) callback()
  }

  async #settle(): Promise<void> {
    do {
      this.#endTurn()
      for (let i = 0; i < MICROTASK_TURNS; i++) await Promise.resolve()
    } while (this.#soon.length > 0)
  }
}
