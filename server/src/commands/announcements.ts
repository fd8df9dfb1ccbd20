import type { Clock } from '@sallyport/protocol/clock'
import { type Bus, BusError, commandSubject, nodeSubject } from '../bus/bus.ts'
import type { Logger } from '../logger.ts'
import type { Scope } from '../store/schema.ts'

/** Nodes that are told in one turn of the event loop. */
const NODES_AT_ONCE = 100
const RETRY_MS = 10

type Options = { bus: Bus; scope: Scope; clock: Clock; logger: Logger }

/** Tells the bus what changed, of many nodes a few at a time, so that others have their turn between. */
export class Announcements {
  readonly #options: Options
  readonly #nodes = new Set<string>()
  #running = false
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
    if (full) clock.after(RETRY_MS, () => this.#tell())
    else clock.soon(() => this.#tell())
  }

  /** False when the bus has no room for now. */
  #publish(subject: string, message: { type: string }): boolean {
    if (this.#closed) return true
    const { bus, logger } = this.#options
    try {
      void bus.publish(subject, message)
      return true
    } catch (error) {
      if (error instanceof BusError && error.code === 'overflow') return false
      logger.error({ err: error, subject }, 'commands: the bus failed')
      return true
    }
  }
}
