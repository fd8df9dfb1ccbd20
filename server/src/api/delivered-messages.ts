import type { Clock } from '@sallyport/protocol/clock'
import type { JobName, OwedJob } from '../commands/commands.ts'

/** A message that is not acknowledged by then may be delivered again (control-plane.md 9). */
export const HIDDEN_MS = 10_000
/** As many as one poll is answered with. */
export const MAXIMUM_MESSAGES = 10
/** What a cancelling message cancels is remembered for so long; it is delivered anew until it is acknowledged. */
const REMEMBERED_MS = 600_000
/** Of the oldest the worst that can come is that they are delivered once more. */
const MAXIMUM_REMEMBERED = 50_000

/** Of what the polls of nodes were answered with, as much as is needed until it is acknowledged. */
export class DeliveredMessages {
  readonly #clock: Clock
  /** When each was delivered, by node and job; the oldest first. */
  readonly #hidden = new Map<string, number>()
  /** Cancelling messages, and when they were delivered; the oldest first. */
  readonly #cancelling = new Map<string, { commandId: string; at: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Those that may be delivered now, which hides them for a while. */
  take(nodeId: string, owed: readonly OwedJob[]): OwedJob[] {
    const now = this.#clock.monotonic()
    forget(this.#hidden, at => at <= now - HIDDEN_MS)
    forget(this.#cancelling, ({ at }) => at <= now - REMEMBERED_MS)
    const taken = owed.filter(job => !this.#hidden.has(keyOf(nodeId, job))).slice(0, MAXIMUM_MESSAGES)
    for (const job of taken) {
      this.#hidden.set(keyOf(nodeId, job), now)
      const { commandId } = job
      if (job.kind === 'cancel') this.#cancelling.set(messageIdOf(nodeId, job), { commandId, at: now })
    }
    return taken
  }

  /** After how many milliseconds the first of these may be delivered again; undefined if none of them is hidden. */
  hiddenFor(nodeId: string, owed: readonly OwedJob[]): number | undefined {
    const times = owed.flatMap(job => this.#hidden.get(keyOf(nodeId, job)) ?? [])
    return times.length === 0 ? undefined : Math.min(...times) + HIDDEN_MS - this.#clock.monotonic()
  }

  /** The command that a message cancels; undefined if it is no such message. */
  cancelledBy(messageId: string): string | undefined {
    return this.#cancelling.get(messageId)?.commandId
  }
}

/** Agents read the id of a command from that of its message; that of a cancelling job is a uuid. */
export function messageIdOf(nodeId: string, { kind, job }: OwedJob): string {
  return kind === 'command' ? job.jobId : `aws.ssm.${job.jobId}.${nodeId}`
}

function keyOf(nodeId: string, { kind, commandId }: JobName): string {
  return `${nodeId} ${kind} ${commandId}`
}

/** Drops the oldest while they are old, or too many. */
function forget<V>(entries: Map<string, V>, isOld: (value: V) => boolean): void {
  for (const [key, value] of entries) {
    if (!isOld(value) && entries.size <= MAXIMUM_REMEMBERED) return
    entries.delete(key)
  }
}
