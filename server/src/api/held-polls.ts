import type { Clock } from '@sallyport/protocol/clock'
import { DeliveredMessages } from './delivered-messages.ts'

/** Agents give a poll up after 20 s, and expect an answer after 15 (control-plane.md 9). */
export const HOLD_MS = 15_000
/** An agent polls once at a time; a second may be left over from a connection that it lost. */
export const MAXIMUM_POLLS_PER_NODE = 2
/** So many are held for the whole time. */
export const FULLY_HELD_POLLS = 10_000
/** The others ask again as soon as they are answered, so this is what a large fleet costs: one request a second each. */
export const CROWDED_HOLD_MS = 1_000

/** A request that is kept waiting. */
type HeldPoll = {
  /** There may be something to tell the node. */
  wake(): void
  /** True when it was woken since the last call, or so many milliseconds have passed; false when its time is over. */
  woken(withinMs?: number): Promise<boolean>
  end(): void
}

/**
 * Requests of nodes that are kept waiting until there is something to tell them; two for each registered node at most.
 * Of more the one that has waited longest is let go: agents count errors, and stop asking after ten, but never mind an
 * empty answer.
 */
export class HeldPolls {
  /** What polls were answered with. */
  readonly delivered: DeliveredMessages
  readonly #clock: Clock
  readonly #held = new Set<HeldPoll>()
  /** Oldest first. */
  readonly #ofNodes = new Map<string, Set<HeldPoll>>()
  #closed = false

  constructor(clock: Clock) {
    this.delivered = new DeliveredMessages(clock)
    this.#clock = clock
  }

  get size(): number {
    return this.#held.size
  }

  /**
   * Its time is over after HOLD_MS, or CROWDED_HOLD_MS where many are held, or earlier: when the caller has gone, when
   * its node asks again, when all ends. `end` must be called.
   */
  hold(nodeId: string, gone: AbortSignal): HeldPoll {
    const ofNode = this.#ofNodes.get(nodeId)
    if (ofNode && ofNode.size >= MAXIMUM_POLLS_PER_NODE) oldest(ofNode)?.end()
    const holdFor = this.#held.size < FULLY_HELD_POLLS ? HOLD_MS : CROWDED_HOLD_MS
    const wait = new Wait()
    const poll: HeldPoll = {
      wake: () => wait.wake(),
      woken: withinMs =>
        wait.woken(withinMs === undefined ? undefined : wake => this.#clock.after(withinMs, wake)),
      end: () => {
        cancel()
        gone.removeEventListener('abort', poll.end)
        this.#remove(nodeId, poll)
        wait.end()
      },
    }
    const cancel = this.#clock.after(holdFor, poll.end)
    gone.addEventListener('abort', poll.end)
    this.#held.add(poll)
    this.#ofNodes.set(nodeId, (this.#ofNodes.get(nodeId) ?? new Set()).add(poll))
    if (this.#closed || gone.aborted) poll.end()
    return poll
  }

  /** Lets everybody go; nobody is held afterwards. */
  close(): void {
    this.#closed = true
    for (const poll of [...this.#held]) poll.end()
  }

  #remove(nodeId: string, poll: HeldPoll): void {
    this.#held.delete(poll)
    const ofNode = this.#ofNodes.get(nodeId)
    ofNode?.delete(poll)
    if (ofNode?.size === 0) this.#ofNodes.delete(nodeId)
  }
}

/** Somebody waits to be woken, until the end. */
class Wait {
  #wakened = false
  #over = false
  #goOn = () => {}

  wake(): void {
    this.#wakened = true
    this.#goOn()
  }

  end(): void {
    this.#over = true
    this.#goOn()
  }

  async woken(soon?: (wake: () => void) => () => void): Promise<boolean> {
    if (!this.#wakened && !this.#over) {
      const cancel = soon?.(() => this.wake())
      await new Promise<void>(resolve => {
        this.#goOn = resolve
      })
      cancel?.()
    }
    this.#wakened = false
    return !this.#over
  }
}

function oldest(polls: ReadonlySet<HeldPoll>): HeldPoll | undefined {
  for (const poll of polls) return poll
  return undefined
}
