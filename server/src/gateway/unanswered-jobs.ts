import type { Clock } from '@sallyport/protocol/clock'
import type { JobName } from '../commands/commands.ts'

/** A job that is not acknowledged by then may have been dropped without a word (data-plane.md 8.2). */
export const RESEND_AFTER = 6_000

/** `answered`: the node has spoken of it, which is being stored. */
type Sent = { at: number; answered: boolean }

/**
 * Which jobs of a node are on their way: sent and not answered, or answered and the answer not stored yet, so that what
 * is owed still names them.
 */
export class UnansweredJobs {
  readonly #clock: Clock
  readonly #onOverdue: () => void
  readonly #sent = new Map<string, Sent>()
  /** Sent ones whose answer was stored in this round: the list of what is owed may be older. */
  readonly #settled = new Set<string>()
  #cancelTimer: (() => void) | undefined
  #closed = false

  /** `onOverdue` is called when a job has waited too long for its answer. */
  constructor(clock: Clock, onOverdue: () => void) {
    this.#clock = clock
    this.#onOverdue = onOverdue
  }

  get size(): number {
    return this.#sent.size
  }

  /** What is owed is about to be asked for. */
  beginRound(): void {
    this.#settled.clear()
  }

  /** Overdue ones go out again if they are still owed. */
  forgetOverdue(): void {
    const before = this.#clock.monotonic() - RESEND_AFTER
    for (const [key, { at, answered }] of this.#sent) {
      if (!answered && at <= before) this.#sent.delete(key)
    }
  }

  has(job: JobName): boolean {
    const key = keyOf(job)
    return this.#sent.has(key) || this.#settled.has(key)
  }

  sent(job: JobName): void {
    this.#sent.set(keyOf(job), { at: this.#clock.monotonic(), answered: false })
  }

  /** Keeps the job from being sent while its answer is stored; after a failure the answer counts as lost. */
  async whileStoring(job: JobName, stored: Promise<void>): Promise<void> {
    const key = keyOf(job)
    const wasSent = this.#sent.has(key)
    this.#sent.set(key, { at: this.#clock.monotonic(), answered: true })
    try {
      await stored
    } catch (error) {
      this.sent(job)
      this.watch()
      throw error
    }
    this.#sent.delete(key)
    // Of others a node may name any number.
    if (wasSent) this.#settled.add(key)
    if (this.#sent.size === 0) this.#stopTimer()
  }

  /** Waits for the first of them to be overdue, if it does not wait already. */
  watch(): void {
    if (this.#cancelTimer !== undefined || this.#closed) return
    const unanswered = [...this.#sent.values()].filter(({ answered }) => !answered)
    if (unanswered.length === 0) return
    const first = Math.min(...unanswered.map(({ at }) => at))
    this.#cancelTimer = this.#clock.after(first + RESEND_AFTER - this.#clock.monotonic(), () => {
      this.#cancelTimer = undefined
      this.#onOverdue()
    })
  }

  close(): void {
    this.#closed = true
    this.#stopTimer()
  }

  #stopTimer(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }
}

function keyOf({ kind, commandId }: JobName): string {
  return `${kind} ${commandId}`
}
