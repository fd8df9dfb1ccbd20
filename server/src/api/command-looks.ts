import type { Clock } from '@sallyport/protocol/clock'
import type { CommandSummary } from '../store/commands.ts'
import type { InvocationCount } from '../store/invocations.ts'

/** Of others each watcher has to look for itself. */
const MAXIMUM_COMMANDS = 100

/** A command, and how many of its invocations stand how. */
export type CommandLook = { command: CommandSummary; counts: readonly InvocationCount[] }
type Known = { at: number; look: Promise<CommandLook> }
export type WantedLook = {
  commandId: string
  /** The caller knows of what was until this revision. */
  after: number
  /** An earlier look will do if it is newer than this and tells the caller something new. */
  maxAgeMs: number
  summary: () => Promise<CommandSummary>
  counts: () => Promise<readonly InvocationCount[]>
}

/**
 * What watchers of the same command share: counting goes through all of its invocations. Counts are read after the
 * command and so never older than its revision; while that is the same they are, too.
 */
export class CommandLooks {
  readonly #clock: Clock
  /** By command, the oldest first. */
  readonly #known = new Map<string, Known>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async look(wanted: WantedLook): Promise<CommandLook> {
    const { commandId, after, maxAgeMs } = wanted
    const known = this.#known.get(commandId)
    if (known !== undefined && this.#clock.monotonic() - known.at < maxAgeMs) {
      const shared = await known.look
      if (shared.command.revision > after) return shared
    }
    const look = this.#again(wanted, this.#known.get(commandId))
    this.#keep(commandId, { at: this.#clock.monotonic(), look })
    return await look
  }

  async #again({ summary, counts }: WantedLook, known: Known | undefined): Promise<CommandLook> {
    const command = await summary()
    // One that failed was of somebody else.
    const earlier = await known?.look.catch(() => undefined)
    const same = earlier?.command.revision === command.revision
    return { command, counts: same ? earlier.counts : await counts() }
  }

  #keep(commandId: string, known: Known): void {
    this.#known.delete(commandId)
    this.#known.set(commandId, known)
    const [oldest] = this.#known.keys()
    if (this.#known.size > MAXIMUM_COMMANDS && oldest !== undefined) this.#known.delete(oldest)
    known.look.catch(() => {
      if (this.#known.get(commandId) === known) this.#known.delete(commandId)
    })
  }
}
