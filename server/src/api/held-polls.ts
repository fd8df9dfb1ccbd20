import type { Clock } from '@sallyport/protocol/clock'

/** Agents give a poll up after 20 s, and expect an answer after 15 (control-plane.md 9). */
export const HOLD_MS = 15_000
/** An agent polls once at a time; a second may be left over from a connection that it lost. */
export const MAXIMUM_POLLS_PER_NODE = 2
/** So many are held for the whole time. */
export const FULLY_HELD_POLLS = 10_000
/** The others ask again as soon as they are answered, so this is what a large fleet costs: one request a second each. */
export const CROWDED_HOLD_MS = 1_000

type Poll = { nodeId: string; release: () => void }

/**
 * Requests of nodes that are kept waiting until there is something to tell them; two for each registered node at most.
 * Of more the one that has waited longest is let go: agents count errors, and stop asking after ten, but never mind an
 * empty answer.
 */
export class HeldPolls {
  readonly #clock: Clock
  readonly #held = new Set<Poll>()
  /** Oldest first. */
  readonly #ofNodes = new Map<string, Set<Poll>>()
  #closed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#held.size
  }

  /**
   * Resolves after HOLD_MS, or CROWDED_HOLD_MS where many are held, or earlier: when the caller has gone, when its node
   * asks again, when all ends.
   */
  hold(nodeId: string, gone: AbortSignal): Promise<void> {
    if (this.#closed || gone.aborted) return Promise.resolve()
    const ofNode = this.#ofNodes.get(nodeId) ?? new Set()
    if (ofNode.size >= MAXIMUM_POLLS_PER_NODE) oldest(ofNode)?.release()
    const holdFor = this.#held.size < FULLY_HELD_POLLS ? HOLD_MS : CROWDED_HOLD_MS
    return new Promise(resolve => {
      const poll: Poll = {
        nodeId,
        release: () => {
          cancel()
          gone.removeEventListener('abort', poll.release)
          this.#remove(poll)
          resolve()
        },
      }
      const cancel = this.#clock.after(holdFor, poll.release)
      gone.addEventListener('abort', poll.release)
      this.#held.add(poll)
      this.#ofNodes.set(nodeId, (this.#ofNodes.get(nodeId) ?? new Set()).add(poll))
    })
  }

  /** Lets everybody go; nobody is held afterwards. */
  close(): void {
    this.#closed = true
    for (const poll of [...this.#held]) poll.release()
  }

  #remove(poll: Poll): void {
    this.#held.delete(poll)
    const ofNode = this.#ofNodes.get(poll.nodeId)
    ofNode?.delete(poll)
    if (ofNode?.size === 0) this.#ofNodes.delete(poll.nodeId)
  }
}

function oldest(polls: ReadonlySet<Poll>): Poll | undefined {
  for (const poll of polls) return poll
  return undefined
}
