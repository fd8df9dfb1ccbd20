import type { Clock } from '@sallyport/protocol/clock'
import { accessSubject, type Bus } from '../bus/bus.ts'
import { Passes } from '../bus/passes.ts'
import type { NodeRoles } from '../iam/node-roles.ts'
import type { Logger } from '../logger.ts'
import type { Scope } from '../store/schema.ts'
import type { Store } from '../store/store.ts'

/** More are answered at once, and come again as often as they like. */
export const MAXIMUM_WAITS = 20_000

export type NodeWaitsOptions = {
  store: Store
  bus: Bus
  scope: Scope
  clock: Clock
  nodeRoles: Pick<NodeRoles, 'missingAmong'>
  logger: Pick<Logger, 'error'>
}

/**
 * Requests of nodes that may not be online, kept until they may: so that one is back at once when it gets its role, and
 * ten thousand that have none cost next to nothing.
 */
export class NodeWaits {
  readonly #options: NodeWaitsOptions
  readonly #passes: Passes
  /** What ends the wait of each node. */
  readonly #waiting = new Map<string, () => void>()

  constructor(options: NodeWaitsOptions) {
    this.#options = options
    const { bus, clock, scope, logger } = options
    this.#passes = new Passes({
      bus,
      clock,
      subject: accessSubject(scope),
      pass: () => this.#releaseAble([...this.#waiting.keys()]),
      onError: error => logger.error({ err: error }, 'waiting nodes could not be looked at'),
    })
  }

  /** Resolves when the node may be online, or after `ms`, or when nobody waits any more: it asked again, it has gone. */
  wait(nodeId: string, ms: number, gone: AbortSignal): Promise<void> {
    this.#waiting.get(nodeId)?.()
    if (gone.aborted || this.#waiting.size >= MAXIMUM_WAITS) return Promise.resolve()
    return new Promise(resolve => {
      const release = () => {
        cancel()
        gone.removeEventListener('abort', release)
        if (this.#waiting.get(nodeId) === release) this.#waiting.delete(nodeId)
        resolve()
      }
      const cancel = this.#options.clock.after(ms, release)
      gone.addEventListener('abort', release)
      this.#waiting.set(nodeId, release)
      // Its role may have come between the last look at it and now.
      this.#releaseAble([nodeId]).catch((error: unknown) =>
        this.#options.logger.error({ err: error, nodeId }, 'a waiting node could not be looked at'),
      )
    })
  }

  close(): void {
    this.#passes.close()
    for (const release of [...this.#waiting.values()]) release()
  }

  async #releaseAble(nodeIds: readonly string[]): Promise<void> {
    if (nodeIds.length === 0) return
    const { store, scope, nodeRoles } = this.#options
    const nodes = await store.nodes.roleHolders(scope, nodeIds)
    const lacking = await nodeRoles.missingAmong(nodes)
    // Those that were deregistered meanwhile are to learn it.
    for (const nodeId of nodeIds) if (!lacking.has(nodeId)) this.#waiting.get(nodeId)?.()
  }
}
