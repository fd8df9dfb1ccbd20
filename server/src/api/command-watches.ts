import type { Clock } from '@sallyport/protocol/clock'
import { type Bus, type BusMessage, commandSubject } from '../bus/bus.ts'
import type { Scope } from '../store/schema.ts'
import { CommandLooks } from './command-looks.ts'

/** More are answered at once. Whoever follows a command has one for it, and one for each output that is looked at. */
export const MAXIMUM_WATCHES = 2_000

/** With more targets than this, changes are told together: one by one they would keep the store busy. */
const MANY_TARGETS = 100
const GATHER_MS = 100

/** How much time is at least between two looks at something of a command (see `Watched`). */
export function gatherMsFor({ targetCount }: { targetCount: number }): number {
  return targetCount > MANY_TARGETS ? GATHER_MS : 0
}

type WatchOptions = { bus: Bus; scope: Scope; clock: Clock }
type Look<T> = { answer: T; done: boolean }
export type Watched<T> = {
  commandId: string
  /** How long it may take until there is something to tell. */
  ms: number
  gone: AbortSignal
  /** Events that are no reason to look again. */
  concerns?: (event: BusMessage) => boolean
  /** So much time at least is between two looks, for changes that are told together then. */
  gatherMs?: number
  look: () => Promise<Look<T>>
}

/** Requests that wait until something becomes of a command. */
export class CommandWatches {
  /** What they share. */
  readonly looks: CommandLooks
  readonly #options: WatchOptions
  readonly #waiting = new Set<() => void>()
  #closed = false

  constructor(options: WatchOptions) {
    this.looks = new CommandLooks(options.clock)
    this.#options = options
  }

  get size(): number {
    return this.#waiting.size
  }

  /**
   * Looks until that is `done`, or the time is up, the caller has gone, all ends. Nothing that happens after the first
   * look is missed.
   */
  async until<T>({ commandId, ms, gone, concerns = () => true, gatherMs = 0, look }: Watched<T>): Promise<T> {
    if (ms === 0) return (await look()).answer
    const { bus, scope, clock } = this.#options
    let news = false
    let wake = () => {}
    const unsubscribe = bus.subscribe(commandSubject(scope, commandId), event => {
      if (!concerns(event)) return
      news = true
      wake()
    })
    const end = clock.monotonic() + ms
    try {
      if (gatherMs > 0) await this.#pause(Math.min(gatherMs, ms), gone, () => {})
      for (;;) {
        news = false
        const { answer, done } = await look()
        const left = end - clock.monotonic()
        if (done || left <= 0) return answer
        const went = news || (await this.#pause(left, gone, release => (wake = release)))
        if (!went) return answer
        if (gatherMs > 0) await this.#pause(Math.min(gatherMs, end - clock.monotonic()), gone, () => {})
      }
    } finally {
      unsubscribe()
    }
  }

  /** Lets everybody go; nobody waits afterwards. */
  close(): void {
    this.#closed = true
    for (const release of [...this.#waiting]) release()
  }

  /** True if it was woken before anything else ended it. */
  #pause(ms: number, gone: AbortSignal, onWake: (wake: () => void) => void): Promise<boolean> {
    if (this.#closed || gone.aborted || this.#waiting.size >= MAXIMUM_WATCHES) return Promise.resolve(false)
    return new Promise(resolve => {
      const end = (woken: boolean) => {
        cancel()
        gone.removeEventListener('abort', release)
        this.#waiting.delete(release)
        resolve(woken)
      }
      const release = () => end(false)
      const cancel = this.#options.clock.after(ms, release)
      gone.addEventListener('abort', release)
      this.#waiting.add(release)
      onWake(() => end(true))
    })
  }
}
