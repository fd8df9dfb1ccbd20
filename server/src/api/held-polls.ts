import type { Clock } from '@sallyport/protocol/clock'

/** Agents give a poll up after 20 s, and expect an answer after 15 (control-plane.md 9). */
export const HOLD_MS = 15_000
/** An agent polls once at a time; a second may be left over from a connection that it lost. */
export const MAXIMUM_POLLS_PER_NODE = 2
export const MAXIMUM_POLLS = 10_000

type Poll = { nodeId: string; release: () => void }

/**
 * Requests of nodes that are kept waiting until there is something to tell them. Beyond either bound the one that
 * has waited longest is let go: agents count errors, and stop asking after ten, but never mind an empty answer.
 */
export class HeldPolls {
  readonly #clock: Clock
  /** Oldest first. */
  readonly #held = new Set<Poll>()
  readonly #ofNodes = new Map<string, Set<Poll>>()
  #closed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#held.size
  }

  /** Resolves after HOLD_MS, or earlier: when the caller has gone, when others need the place, when all ends. */
  hold(nodeId: string, gone: AbortSignal): Promise<void> {
    if (this.#closed || gone.aborted) return Promise.resolve()
    const ofNode = this.#ofNodes.get(nodeId) ?? new Set()
    if (ofNode.size >= MAXIMUM_POLLS_PER_NODE) oldest(ofNode)?.release()
    if (this.#held.size >= MAXIMUM_POLLS) oldest(this.#held)?.release()
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
      const cancel = this.#clock.after(HOLD_MS, poll.release)
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
