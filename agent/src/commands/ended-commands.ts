import type { Log } from '../log.ts'
import type { CommandRecords } from './command-records.ts'

const DAY = 24 * 3600_000
/** The ids of commands are known, and their output is kept, for so long at most. */
const KEPT_FOR = 14 * DAY
const MAXIMUM_ENDED = 1_000
/** Of all commands together, in the state directory. */
const MAXIMUM_BYTES = 1024 ** 3

type Ended = { endedAt: number; bytes: number }

/** What is left of commands that are over, and how much room all take: the oldest go first. */
export class EndedCommands {
  readonly #records: CommandRecords
  readonly #log: Log
  readonly #onRemoved: (commandId: string) => void
  /** Oldest first. */
  readonly #ended = new Map<string, Ended>()
  #bytes = 0
  #full = false

  constructor(records: CommandRecords, log: Log, onRemoved: (commandId: string) => void) {
    this.#records = records
    this.#log = log
    this.#onRemoved = onRemoved
  }

  /** Commands that have not ended take all the room that there is. */
  get full(): boolean {
    return this.#full
  }

  /** There is something to remove. */
  get crowded(): boolean {
    return this.#ended.size > MAXIMUM_ENDED || this.#bytes > MAXIMUM_BYTES
  }

  async add(commandId: string, endedAt: number): Promise<void> {
    if (this.#ended.has(commandId)) return
    const ended = { endedAt, bytes: 0 }
    this.#ended.set(commandId, ended)
    const bytes = await this.#records.size(commandId)
    if (this.#ended.get(commandId) !== ended) return
    ended.bytes = bytes
    this.#bytes += bytes
  }

  /** Removes what is too old or too much; `others` are the commands that have not ended. */
  async tidy(now: number, others: readonly string[]): Promise<void> {
    let running = 0
    for (const commandId of others) running += await this.#records.size(commandId)
    const tooMuch = () => this.#ended.size > MAXIMUM_ENDED || this.#bytes + running > MAXIMUM_BYTES
    for (const [commandId, { endedAt, bytes }] of this.#ended) {
      if (!tooMuch() && endedAt > now - KEPT_FOR) break
      this.#ended.delete(commandId)
      this.#bytes -= bytes
      this.#onRemoved(commandId)
      await this.#records.remove(commandId).catch((error: Error) => {
        this.#log('cannot remove an old command', { commandId, error: error.message })
      })
    }
    this.#full = running > MAXIMUM_BYTES
  }
}
