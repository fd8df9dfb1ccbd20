import { randomUUID } from 'node:crypto'
import type { Clock } from '@sallyport/protocol/clock'
import { type TaskComplete, TaskStatus } from '@sallyport/protocol/control-channel'
import type { Crypto } from '@sallyport/protocol/crypto'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { type Bus, type BusMessage, nodeSubject, sessionSubject } from '../bus/bus.ts'
import type { Logger } from '../logger.ts'
import type { Scope } from '../store/schema.ts'
import type { Session } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'
import { ControlChannel } from './control-channel.ts'
import type { Role } from './half.ts'
import { type Ending, SessionRelay } from './session-relay.ts'

const REPLACED_CLOSE = 1000
const GOING_AWAY_CLOSE = 1001
const DEREGISTERED_CLOSE = 1008
const DEFAULT_IDLE_TIMEOUT = 20 * 60_000
const RESTORE_PAGE = 500

export type GatewayTiming = {
  sessionStartTimeoutMs: number
  clientPingMs: number
  pongTimeoutMs: number
  presenceGraceMs: number
}

export type GatewayOptions = {
  scope: Scope
  /** This server's name in the store, the same after a restart. */
  serverId: string
  store: Store
  bus: Bus
  crypto: Crypto
  clock: Clock
  logger: Logger
  timing: GatewayTiming
}

type AttachedNode = { channel: ControlChannel; epoch: number; unsubscribe: () => void }
type LiveSession = { relay: SessionRelay; unsubscribe: () => void }

/**
 * The data plane of one server: control channels of nodes and relays of sessions. It learns of the API's doings
 * through the store and the bus alone.
 */
export class Gateway {
  readonly #options: GatewayOptions
  readonly #nodes = new Map<string, AttachedNode>()
  readonly #sessions = new Map<string, LiveSession>()
  #epoch = 0

  constructor(options: GatewayOptions) {
    this.#options = options
  }

  get nodeCount(): number {
    return this.#nodes.size
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  /** After a start: connections of our former life are gone, its sessions are not; their clocks go on. */
  async restore(): Promise<void> {
    const { store, scope, serverId, clock } = this.#options
    await store.nodes.markAllDisconnected(scope, serverId, clock.now())
    let token: string | undefined
    do {
      const page = await store.sessions.list(scope, 'Active', {}, { limit: RESTORE_PAGE, token })
      for (const session of page.items) this.#relayOf(session)
      token = page.nextToken
    } while (token !== undefined)
  }

  /** A node opened its control channel; it replaces the one before (data-plane.md 6.4). */
  async attachNode(nodeId: string, connection: Connection): Promise<void> {
    const { store, scope, bus, clock, serverId } = this.#options
    const epoch = this.#nextEpoch()
    const logger = this.#options.logger.child({ nodeId })
    const channel = new ControlChannel({
      ...this.#channelTiming(),
      nodeId,
      connection,
      crypto: this.#options.crypto,
      clock,
      logger,
      loadTasks: () => store.tasks.listForNode(scope, nodeId),
      onTaskComplete: result => this.#taskComplete(nodeId, result),
      onClosed: reason => this.#nodeLost(nodeId, epoch, reason),
    })
    const unsubscribe = bus.subscribe(nodeSubject(scope, nodeId), message => this.#nodeEvent(nodeId, message))
    const former = this.#nodes.get(nodeId)
    this.#nodes.set(nodeId, { channel, epoch, unsubscribe })
    former?.unsubscribe()
    former?.channel.close(REPLACED_CLOSE, 'replaced by a newer control channel')
    const known = await store.nodes.setConnected(scope, nodeId, { epoch, server: serverId, now: clock.now() })
    if (!known) {
      channel.close(DEREGISTERED_CLOSE, 'this node is not registered')
      return
    }
    logger.info('node online')
    await channel.sendTasks()
  }

  /** An end of a session opened its data channel, with a token that was good. */
  attachSession(session: Session, role: Role, connection: Connection): void {
    this.#relayOf(session).attach(role, connection)
  }

  /** Closes everything; sessions go on at their ends until a server is back. */
  close(): void {
    for (const { channel, unsubscribe } of [...this.#nodes.values()]) {
      unsubscribe()
      channel.close(GOING_AWAY_CLOSE, 'server stops')
    }
    for (const { relay } of [...this.#sessions.values()]) relay.dispose('server stops')
  }

  #channelTiming() {
    const { clientPingMs, pongTimeoutMs } = this.#options.timing
    return { pingEvery: clientPingMs, pongTimeout: pongTimeoutMs }
  }

  /** Greater than any before, in this life and in former ones (DESIGN 6.10). */
  #nextEpoch(): number {
    this.#epoch = Math.max(this.#epoch + 1, this.#options.clock.now() * 1000)
    return this.#epoch
  }

  #nodeLost(nodeId: string, epoch: number, reason: string): void {
    const { store, scope, clock, logger, timing } = this.#options
    const attached = this.#nodes.get(nodeId)
    if (attached?.epoch !== epoch) return
    attached.unsubscribe()
    this.#nodes.delete(nodeId)
    // Agents come back from a blink of the network within seconds: that is not worth an alarm.
    clock.after(timing.presenceGraceMs, () => {
      if (this.#nodes.has(nodeId)) return
      store.nodes.setDisconnected(scope, nodeId, { epoch, now: clock.now() }).then(
        changed => changed && logger.info({ nodeId, reason }, 'node offline'),
        (error: unknown) => logger.error({ nodeId, err: error }, 'presence could not be stored'),
      )
    })
  }

  async #nodeEvent(nodeId: string, message: BusMessage): Promise<void> {
    const attached = this.#nodes.get(nodeId)
    const type = eventType(message)
    if (attached === undefined) return
    if (type === 'tasks') {
      await this.#prepareRelays(nodeId)
      await attached.channel.sendTasks()
    } else if (type === 'deregistered')
      attached.channel.close(DEREGISTERED_CLOSE, 'this node was deregistered')
  }

  /** The start time-out of a session begins with its task, not with the first end that comes. */
  async #prepareRelays(nodeId: string): Promise<void> {
    const { store, scope } = this.#options
    for (const task of await store.tasks.listForNode(scope, nodeId)) {
      if (task.kind !== 'start-session' || this.#sessions.has(task.sessionId)) continue
      const session = await store.sessions.get(scope, task.sessionId)
      if (session !== undefined && session.endedAt === null) this.#relayOf(session)
    }
  }

  #relayOf(session: Session): SessionRelay {
    const { sessionId } = session
    const live = this.#sessions.get(sessionId)
    if (live !== undefined) return live.relay
    const { store, scope, bus, crypto, clock, logger, timing } = this.#options
    const relay = new SessionRelay({
      ...this.#channelTiming(),
      facts: { ...session, idleTimeoutMs: session.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT },
      crypto,
      clock,
      logger,
      startTimeout: timing.sessionStartTimeoutMs,
      onConnected: () =>
        this.#store(sessionId, store.sessions.setStatus(scope, sessionId, 'Connected', { now: clock.now() })),
      onAgreed: agreed => this.#store(sessionId, store.sessions.setAgreed(scope, sessionId, agreed)),
      onEnding: ending => this.#store(sessionId, this.#endSession(session, ending, true)),
      onDisposed: () => {
        this.#sessions.get(sessionId)?.unsubscribe()
        this.#sessions.delete(sessionId)
      },
    })
    const unsubscribe = bus.subscribe(sessionSubject(scope, sessionId), message => {
      if (eventType(message) === 'ended') relay.end(eventText(message, 'output'))
    })
    this.#sessions.set(sessionId, { relay, unsubscribe })
    return relay
  }

  /** Stores the end, then tells whoever holds an end of it. */
  async #endSession(
    session: Pick<Session, 'sessionId' | 'nodeId'>,
    ending: Ending,
    tellNode: boolean,
  ): Promise<void> {
    const { store, scope, bus, clock } = this.#options
    const { sessionId, nodeId } = session
    const now = clock.now()
    const task = {
      taskId: randomUUID(),
      nodeId,
      kind: 'end-session' as const,
      sessionId,
      payload: {},
      createdAt: now,
    }
    const ended = await store.sessions.end(scope, sessionId, {
      status: ending.status,
      now,
      ...(ending.details !== '' && { details: ending.details }),
      ...(tellNode && { task }),
    })
    if (!ended) return
    await bus.publish(sessionSubject(scope, sessionId), { type: 'ended', output: ending.output })
    if (tellNode) await bus.publish(nodeSubject(scope, nodeId), { type: 'tasks' })
  }

  /** An agent's word that a session is over: the only one there is for port sessions (data-plane.md 9.5, 11.5). */
  async #taskComplete(nodeId: string, result: TaskComplete): Promise<void> {
    const { store, scope } = this.#options
    const session = await store.sessions.get(scope, result.TaskId)
    if (session === undefined || session.nodeId !== nodeId) return
    await store.tasks.deleteForSession(scope, session.sessionId)
    const output = result.Output ?? ''
    const status = result.FinalTaskStatus === TaskStatus.failed ? 'Failed' : 'Terminated'
    await this.#endSession(session, { status, details: output, output }, false)
  }

  #store(sessionId: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.#options.logger.error({ sessionId, err: error }, 'the state of a session could not be stored')
    })
  }
}

function eventType(message: BusMessage): string {
  return eventText(message, 'type')
}

function eventText(message: BusMessage, member: string): string {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return ''
  const value = message[member]
  return typeof value === 'string' ? value : ''
}
