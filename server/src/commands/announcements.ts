import type { Clock } from '@sallyport/protocol/clock'
import { type Bus, BusError, commandSubject, nodeSubject } from '../bus/bus.ts'
import type { Logger } from '../logger.ts'
import type { Scope } from '../store/schema.ts'

/** Nodes that are told at once. What they answer comes at once, too, and who uses the API waits behind it. */
const NODES_AT_ONCE = 50
/** From then to the next of them, if the server keeps up: so 10,000 a second at most, and 1,500 at least. */
const PAUSE_MS = 5
const LONGEST_PAUSE_MS = 25
const RETRY_MS = 10

type Options = { bus: Bus; scope: Scope; clock: Clock; logger: Logger }

/**
 * Tells the bus what changed, of many nodes a few at a time: as fast as the server can deal with what comes of it, and no
 * faster, so that others have their turn between.
 */
export class Announcements {
  readonly #options: Options
  readonly #nodes = new Set<string>()
  #running = false
  #cancel: () => void = () => {}
  #closed = false

  constructor(options: Options) {
    this.#options = options
  }

  commands(commandIds: Iterable<string>): void {
    const { scope } = this.#options
    for (const commandId of commandIds) this.#publish(commandSubject(scope, commandId), { type: 'changed' })
  }

  nodes(nodeIds: Iterable<string>): void {
    for (const nodeId of nodeIds) this.#nodes.add(nodeId)
    if (!this.#running) this.#tell()
  }

  close(): void {
    this.#closed = true
    this.#nodes.clear()
    this.#cancel()
  }

  #tell(): void {
    const { scope, clock } = this.#options
    let told = 0
    let full = false
    for (const nodeId of this.#nodes) {
      full = !this.#publish(nodeSubject(scope, nodeId), { type: 'commands' })
      if (full || told >= NODES_AT_ONCE) break
      this.#nodes.delete(nodeId)
      told += 1
    }
    this.#running = this.#nodes.size > 0
    if (!this.#running) return
    if (full) this.#cancel = clock.after(RETRY_MS, () => this.#tell())
    else this.#tellLater()
  }

  /** A timer that is late says how much there is to do: then it is left alone for as long again. */
  #tellLater(): void {
    const { clock } = this.#options
    const due = clock.monotonic() + PAUSE_MS
    this.#cancel = clock.after(PAUSE_MS, () => {
      const late = clock.monotonic() - due
      if (late < PAUSE_MS) this.#tell()
      else this.#cancel = clock.after(Math.min(late, LONGEST_PAUSE_MS), () => this.#tell())
    })
  }

  /** False when the bus has no room for now. */
  #publish(subject: string, message: { type: string }): boolean {
    if (this.#closed) return true
    const { bus } = this.#options
    try {
      const published = bus.publish(subject, message)
      if (published instanceof Promise) published.catch(error => this.#failed(subject, error))
      return true
    } catch (error) {
      if (error instanceof BusError && error.code === 'overflow') return false
      this.#failed(subject, error)
      return true
    }
  }

  #failed(subject: string, error: unknown): void {
    if (!this.#closed) this.#options.logger.error({ err: error, subject }, 'commands: the bus failed')
  }
}
