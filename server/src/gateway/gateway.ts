import type { Connection } from '@sallyport/protocol/transport/transport'
import type { Session } from '../store/sessions.ts'
import type { Role } from './half.ts'
import { LiveSessions } from './live-sessions.ts'
import { NodeChannels } from './node-channels.ts'
import type { GatewayOptions } from './options.ts'

/** How often what is here is compared with the store. */
export const RECONCILE_INTERVAL = 30_000

/**
 * The data plane of one server: control channels of nodes and relays of sessions. It learns of the API's doings
 * through the store and the bus alone.
 */
export class Gateway {
  readonly #options: GatewayOptions
  readonly #sessions: LiveSessions
  readonly #nodes: NodeChannels
  #cancelReconcile: () => void = () => {}
  #closed = false

  constructor(options: GatewayOptions) {
    this.#options = options
    this.#sessions = new LiveSessions(options)
    this.#nodes = new NodeChannels(options, this.#sessions)
  }

  get nodeCount(): number {
    return this.#nodes.size
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  /** After a start: connections of our former life are gone, its sessions are not. */
  async restore(): Promise<void> {
    const { store, scope, serverId, clock } = this.#options
    await store.nodes.markAllDisconnected(scope, serverId, clock.now())
    await this.#sessions.reconcile()
    this.#reconcileLater()
  }

  /** A node opened its control channel, with a token that was good. */
  attachNode(nodeId: string, connection: Connection): Promise<void> {
    return this.#nodes.attach(nodeId, connection)
  }

  /** Whether a session may still be used; if not it ends, and the answer is what its ends are told. */
  checkSession(session: Session): Promise<string | undefined> {
    return this.#sessions.check(session)
  }

  /** An end of a session opened its data channel, with a token that was good. */
  attachSession(session: Session, role: Role, connection: Connection): void {
    this.#sessions.attach(session, role, connection)
  }

  /** Closes everything; sessions go on at their ends until a server is back. */
  close(): void {
    this.#closed = true
    this.#cancelReconcile()
    this.#nodes.close()
    this.#sessions.close()
  }

  #reconcileLater(): void {
    if (this.#closed) return
    const { clock, logger } = this.#options
    this.#cancelReconcile = clock.after(RECONCILE_INTERVAL, () => {
      // A condition may have been on the time of day.
      this.#nodes.review()
      this.#sessions
        .reconcile()
        .catch((error: unknown) => {
          if (!this.#closed) logger.error({ err: error }, 'sessions could not be compared with the store')
        })
        .finally(() => this.#reconcileLater())
    })
  }
}
