import type { Connection } from '@sallyport/protocol/transport/transport'
import { accessSubject, type BusMessage, nodeSubject } from '../bus/bus.ts'
import { Passes } from '../bus/passes.ts'
import { ControlChannel } from './control-channel.ts'
import type { LiveSessions } from './live-sessions.ts'
import { eventType, type GatewayOptions, GOING_AWAY_CLOSE } from './options.ts'

const REPLACED_CLOSE = 1000
const DEREGISTERED_CLOSE = 1008
const REFUSED_CLOSE = 1008
const OVERLOADED_CLOSE = 1011

type AttachedNode = {
  channel: ControlChannel
  epoch: number
  unsubscribe: () => void
  /** It may not be here: nobody is to believe for a while yet that it is. */
  refused: boolean
}

/** The control channels of nodes at this server, one each, and what the store says of their presence. */
export class NodeChannels {
  readonly #options: GatewayOptions
  readonly #sessions: LiveSessions
  readonly #nodes = new Map<string, AttachedNode>()
  /** Nodes that went away a moment ago: what cancels the news of it. */
  readonly #leaving = new Map<string, () => void>()
  readonly #passes: Passes
  #epoch = 0
  #closed = false

  constructor(options: GatewayOptions, sessions: LiveSessions) {
    this.#options = options
    this.#sessions = sessions
    const { bus, clock, scope, logger } = options
    this.#passes = new Passes({
      bus,
      clock,
      subject: accessSubject(scope),
      pass: () => this.#review([...this.#nodes.keys()]),
      onError: error =>
        logger.error({ err: error }, 'it could not be decided again which nodes may be online'),
    })
  }

  get size(): number {
    return this.#nodes.size
  }

  /** A node opened its control channel; it replaces the one before (data-plane.md 6.4). */
  async attach(nodeId: string, connection: Connection): Promise<void> {
    if (this.#closed) return connection.close(GOING_AWAY_CLOSE, 'server stops')
    const attached = this.#newNode(nodeId, connection)
    const { channel } = attached
    const former = this.#nodes.get(nodeId)
    this.#nodes.set(nodeId, attached)
    former?.unsubscribe()
    former?.channel.close(REPLACED_CLOSE, 'replaced by a newer control channel')
    this.#leaving.get(nodeId)?.()
    this.#leaving.delete(nodeId)
    channel.open()
    try {
      await this.#review([nodeId])
      if (attached.refused) return
      if (!(await this.#setConnected(nodeId, attached))) {
        return channel.close(DEREGISTERED_CLOSE, 'this node is not registered')
      }
    } catch (error) {
      channel.close(OVERLOADED_CLOSE, 'the server could not note that the node is online')
      throw error
    }
    if (this.#nodes.get(nodeId) === attached) this.#options.logger.info({ nodeId }, 'node online')
    channel.beginCommands()
    await channel.sendTasks()
  }

  /** Decides again, of all, which may be online. */
  review(): void {
    this.#passes.request()
  }

  close(): void {
    this.#closed = true
    this.#passes.close()
    for (const { channel, unsubscribe } of [...this.#nodes.values()]) {
      unsubscribe()
      channel.close(GOING_AWAY_CLOSE, 'server stops')
    }
    for (const cancel of this.#leaving.values()) cancel()
    this.#leaving.clear()
  }

  #newNode(nodeId: string, connection: Connection): AttachedNode {
    const { store, scope, bus, clock, crypto, timing, logger, commands } = this.#options
    const since = clock.now()
    const attached: AttachedNode = {
      epoch: this.#nextEpoch(),
      refused: false,
      unsubscribe: bus.subscribe(nodeSubject(scope, nodeId), message =>
        this.#event(nodeId, attached.channel, message),
      ),
      channel: new ControlChannel({
        nodeId,
        connection,
        crypto,
        clock,
        pingEvery: timing.clientPingMs,
        pongTimeout: timing.pongTimeoutMs,
        // Not a child of it: ten thousand of them would cost a dozen megabytes.
        logger,
        commands,
        loadTasks: () => store.tasks.listForNode(scope, nodeId),
        onDelivered: task => store.tasks.delete(scope, task.taskId),
        onTaskComplete: result => this.#sessions.taskComplete(nodeId, result),
        onSessions: sessionIds => this.#sessions.agentHas(nodeId, sessionIds, since),
        onClosed: reason => this.#lost(nodeId, attached, reason),
      }),
    }
    return attached
  }

  /** Closes the channels of nodes that may not be online (any more). */
  async #review(nodeIds: readonly string[]): Promise<void> {
    if (nodeIds.length === 0) return
    const { store, scope, nodeRoles, logger } = this.#options
    const before = new Map(nodeIds.map(nodeId => [nodeId, this.#nodes.get(nodeId)]))
    const lacking = await nodeRoles.missingAmong(await store.nodes.roleHolders(scope, nodeIds))
    for (const [nodeId, { why, actions }] of lacking) {
      const attached = this.#nodes.get(nodeId)
      if (attached === undefined || attached !== before.get(nodeId)) continue
      logger.warn({ nodeId, actions, reason: why }, 'node refused')
      attached.refused = true
      attached.channel.close(REFUSED_CLOSE, `may not be online: ${why}`)
    }
  }

  /** Greater than any before, in this life and in former ones (DESIGN 6.10). */
  #nextEpoch(): number {
    this.#epoch = Math.max(this.#epoch + 1, this.#options.clock.now() * 1000)
    return this.#epoch
  }

  /** False if the node is not registered (any more). */
  async #setConnected(nodeId: string, attached: AttachedNode): Promise<boolean> {
    const { store, scope, serverId, clock } = this.#options
    const report = () =>
      store.nodes.setConnected(scope, nodeId, { epoch: attached.epoch, server: serverId, now: clock.now() })
    if (await report()) return true
    const node = await store.nodes.get(scope, nodeId)
    if (node === undefined || node.deregisteredAt !== null) return false
    // Either there is a newer channel already, or the clock was set back since the last one.
    if (this.#nodes.get(nodeId) !== attached) return true
    this.#epoch = Math.max(this.#epoch, node.connectionEpoch)
    attached.epoch = this.#nextEpoch()
    return report()
  }

  async #event(nodeId: string, channel: ControlChannel, message: BusMessage): Promise<void> {
    switch (eventType(message)) {
      case 'tasks':
        await Promise.all([this.#sessions.prepare(nodeId), channel.sendTasks()])
        break
      case 'commands':
        await channel.sendCommands()
        break
      case 'deregistered':
        await channel.endSessions(this.#sessions.ofNode(nodeId))
        channel.close(DEREGISTERED_CLOSE, 'this node was deregistered')
        break
      default:
    }
  }

  #lost(nodeId: string, attached: AttachedNode, reason: string): void {
    if (this.#nodes.get(nodeId) !== attached) return
    attached.unsubscribe()
    this.#nodes.delete(nodeId)
    if (this.#closed) return
    const { timing } = this.#options
    this.#leave(nodeId, attached.epoch, reason, attached.refused ? 0 : timing.presenceGraceMs)
  }

  /** Agents come back from a blink of the network within seconds: that is not worth an alarm. */
  #leave(nodeId: string, epoch: number, reason: string, grace: number): void {
    const { store, scope, clock, logger, timing } = this.#options
    const cancel = clock.after(grace, () => {
      this.#leaving.delete(nodeId)
      store.nodes.setDisconnected(scope, nodeId, { epoch, now: clock.now() }).then(
        changed => changed && logger.info({ nodeId, reason }, 'node offline'),
        (error: unknown) => {
          logger.error({ nodeId, err: error }, 'presence could not be stored')
          if (!this.#closed && !this.#nodes.has(nodeId))
            this.#leave(nodeId, epoch, reason, timing.presenceGraceMs)
        },
      )
    })
    this.#leaving.set(nodeId, cancel)
  }
}
