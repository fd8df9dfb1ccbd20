import { randomUUID } from 'node:crypto'
import { type TaskComplete, TaskStatus } from '@sallyport/protocol/control-channel'
import { ProtocolError } from '@sallyport/protocol/errors'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { type BusMessage, nodeSubject, sessionSubject } from '../bus/bus.ts'
import { credentialsExpireAt } from '../session-authority/record.ts'
import type { SessionFilters } from '../store/session-filters.ts'
import type { Session } from '../store/sessions.ts'
import type { RecordedPresence } from './client-presence.ts'
import type { Role } from './half.ts'
import { eventFlag, eventText, eventType, type GatewayOptions, GOING_AWAY_CLOSE } from './options.ts'
import type { Ending, SessionFacts } from './session-deadlines.ts'
import { SessionRelay } from './session-relay.ts'
import { SessionReview } from './session-review.ts'

const DEFAULT_IDLE_TIMEOUT = 20 * 60_000
const RECONCILED_PAGE = 500
/** docs.aws.amazon.com/systems-manager/latest/APIReference/API_Session.html */
const MAXIMUM_DETAILS = 1024
/** Stock agents cut what they say here themselves (data-plane.md 7.4). */
const MAXIMUM_OUTPUT = 2500

type LiveSession = { relay: SessionRelay; unsubscribe: () => void }
type SessionKey = Pick<Session, 'sessionId' | 'nodeId'>

/** The relays of this server's sessions. A session that has not ended has one, whether its ends are there or not. */
export class LiveSessions {
  readonly #options: GatewayOptions
  readonly #sessions = new Map<string, LiveSession>()
  readonly #review: SessionReview
  #closed = false

  constructor(options: GatewayOptions) {
    this.#options = options
    this.#review = new SessionReview({
      ...options,
      active: pageSize => this.#active({}, pageSize),
      revoke: (session, denial) => this.#revoke(session, denial),
    })
  }

  get size(): number {
    return this.#sessions.size
  }

  ofNode(nodeId: string): string[] {
    return [...this.#sessions].filter(([, { relay }]) => relay.facts.nodeId === nodeId).map(([id]) => id)
  }

  attach(session: Session, role: Role, connection: Connection): void {
    if (this.#closed) return connection.close(GOING_AWAY_CLOSE, 'server stops')
    const { sessionId } = session
    const known = this.#sessions.has(sessionId)
    this.#relayOf(session).attach(role, connection)
    // It may have ended after its row was read and before anybody listened for that.
    if (!known) this.#store(sessionId, this.#confirm(sessionId))
  }

  /**
   * Whether an end of a session may have it now. One that is not allowed any more ends; the answer is what to tell
   * whoever is there.
   */
  async check(session: Session): Promise<string | undefined> {
    const denial = await this.#options.authority.denial(session)
    if (denial === undefined) return undefined
    await this.#revoke(session, denial)
    return REVOKED
  }

  /** The start time-out of a session begins with its task, not with the first end that comes. */
  async prepare(nodeId: string): Promise<void> {
    const { store, scope } = this.#options
    for (const task of await store.tasks.listForNode(scope, nodeId)) {
      if (task.kind !== 'start-session' || this.#sessions.has(task.sessionId)) continue
      const session = await store.sessions.get(scope, task.sessionId)
      if (session !== undefined && session.endedAt === null && !this.#closed) this.#relayOf(session)
    }
  }

  /** An agent's word that a session is over: the only one there is for port sessions (data-plane.md 9.5, 11.5). */
  async taskComplete(nodeId: string, result: TaskComplete): Promise<void> {
    const { store, scope } = this.#options
    const session = await store.sessions.get(scope, result.TaskId)
    if (session === undefined) return
    if (session.nodeId !== nodeId) {
      throw new ProtocolError(
        'unexpected-message',
        `it speaks for the session of another node, ${result.TaskId}`,
      )
    }
    await store.tasks.deleteForSession(scope, session.sessionId)
    // A database takes a NUL for the end of the text.
    const output = (result.Output ?? '').slice(0, MAXIMUM_OUTPUT).replaceAll('\0', '?')
    const status = result.FinalTaskStatus === TaskStatus.failed ? 'Failed' : 'Terminated'
    if (session.endedAt === null) {
      await this.#finish(session, { status, details: output, output, tellNode: false })
    }
  }

  /**
   * Ends the sessions that an agent does not have any more, since it was killed. `since` is when its control channel
   * was opened: what has come to run after that, it could not know yet. What it was only told to start it will be
   * told again.
   */
  async agentHas(nodeId: string, sessionIds: ReadonlySet<string>, since: number): Promise<void> {
    for await (const session of this.#active({ target: nodeId })) {
      const { sessionId, status, connectedAt } = session
      const ran = status !== 'Terminating' && connectedAt !== null && connectedAt < since
      if (ran && !sessionIds.has(sessionId)) await this.#finish(session, AGENT_RESTARTED)
    }
  }

  /**
   * Makes what is here the same as what is in the store: after a start, and now and then, since an event of the bus
   * can be missed. Sessions go on where a former life left them; their clocks go on too.
   */
  async reconcile(): Promise<void> {
    const active = new Set<string>()
    for await (const session of this.#active({})) {
      active.add(session.sessionId)
      if (!this.#sessions.has(session.sessionId)) await this.#adopt(session)
    }
    for (const sessionId of [...this.#sessions.keys()]) {
      if (!active.has(sessionId)) await this.#confirm(sessionId)
    }
    // Time passes, which conditions may ask for.
    this.#review.request()
  }

  /** Sessions go on at their ends until a server is back. */
  close(): void {
    this.#closed = true
    this.#review.close()
    for (const { relay } of [...this.#sessions.values()]) relay.dispose('server stops')
  }

  async #revoke(session: Session, denial: string): Promise<void> {
    const { sessionId } = session
    this.#options.logger.warn({ sessionId, reason: denial }, 'session is not allowed any more')
    const details = `Not allowed any more: ${denial}`.slice(0, MAXIMUM_DETAILS)
    // First, and whether or not it can be stored: then it is looked at again with the next change.
    this.#sessions.get(sessionId)?.relay.end(REVOKED, { cut: true })
    await this.#end(session, { status: 'Terminated', details, output: REVOKED, tellNode: true, cut: true })
  }

  async *#active(filters: SessionFilters, limit = RECONCILED_PAGE): AsyncGenerator<Session> {
    const { store, scope } = this.#options
    let token: string | undefined
    do {
      const page = await store.sessions.list(scope, 'Active', filters, { limit, token })
      yield* page.items
      token = page.nextToken
    } while (token !== undefined)
  }

  async #adopt(session: Session): Promise<void> {
    const { store, scope } = this.#options
    const node = await store.nodes.get(scope, session.nodeId)
    if (node === undefined || node.deregisteredAt !== null) {
      await this.#end(session, deregistered(session.nodeId))
    } else if (session.status === 'Terminating') {
      // What waited for its client went with the server that had it.
      await this.#end(session, { status: 'Terminated', details: '', output: '', tellNode: false })
    } else if (!this.#closed) this.#relayOf(session)
  }

  async #confirm(sessionId: string): Promise<void> {
    const { store, scope } = this.#options
    const session = await store.sessions.get(scope, sessionId)
    if (session === undefined || session.endedAt !== null) this.#sessions.get(sessionId)?.relay.end('')
  }

  #relayOf(session: Session): SessionRelay {
    const { sessionId, nodeId } = session
    const live = this.#sessions.get(sessionId)
    if (live !== undefined) return live.relay
    const { scope, bus } = this.#options
    const relay = this.#newRelay(factsOf(session, this.#options.expiredCredentials))
    const unsubscribes = [
      bus.subscribe(sessionSubject(scope, sessionId), message => endedEvent(relay, message)),
      bus.subscribe(nodeSubject(scope, nodeId), async message => {
        if (eventType(message) === 'deregistered') await this.#end(relay.facts, deregistered(nodeId))
      }),
    ]
    const unsubscribe = () => {
      for (const each of unsubscribes) each()
    }
    this.#sessions.set(sessionId, { relay, unsubscribe })
    return relay
  }

  #newRelay(facts: SessionFacts): SessionRelay {
    const { store, scope, crypto, clock, logger, timing } = this.#options
    const { sessionId } = facts
    return new SessionRelay({
      facts,
      crypto,
      clock,
      logger,
      startTimeout: timing.sessionStartTimeoutMs,
      pingEvery: timing.clientPingMs,
      pongTimeout: timing.pongTimeoutMs,
      onConnected: () =>
        this.#store(sessionId, store.sessions.setStatus(scope, sessionId, 'Connected', { now: clock.now() })),
      onClient: status => this.#store(sessionId, this.#recordClient(sessionId, status)),
      onAgreed: agreed => this.#store(sessionId, store.sessions.setAgreed(scope, sessionId, agreed)),
      onFinished: ending => this.#store(sessionId, this.#finish(facts, ending)),
      onEnding: ending => this.#store(sessionId, this.#end(facts, ending)),
      onDisposed: () => {
        this.#sessions.get(sessionId)?.unsubscribe()
        this.#sessions.delete(sessionId)
      },
    })
  }

  /** As long as the session goes on: a status that was reached meanwhile stays. */
  async #recordClient(sessionId: string, status: RecordedPresence): Promise<void> {
    const { store, scope, bus, clock } = this.#options
    if (!(await store.sessions.setStatus(scope, sessionId, status, { now: clock.now() }))) return
    await bus.publish(sessionSubject(scope, sessionId), { type: 'status', status })
  }

  /** The session is over at its node. A client that is on its way still gets the last of it, and the reason. */
  async #finish(key: SessionKey, ending: Ending): Promise<void> {
    const relay = this.#sessions.get(key.sessionId)?.relay
    if (relay === undefined || !relay.awaitsClient) return this.#end(key, ending)
    const { store, scope, clock } = this.#options
    const { details } = ending
    const change = { now: clock.now(), ...(details !== '' && { details }) }
    await store.sessions.setStatus(scope, key.sessionId, 'Terminating', change)
    relay.finish(ending)
  }

  /** Stores the end, then tells whoever holds an end of it, also if somebody else had stored it. */
  async #end(key: SessionKey, ending: Ending): Promise<void> {
    const { store, scope, bus, clock } = this.#options
    const { sessionId, nodeId } = key
    const { tellNode } = ending
    const now = clock.now()
    const kind = 'end-session' as const
    const task = { taskId: randomUUID(), nodeId, kind, sessionId, payload: {}, createdAt: now }
    const ended = await store.sessions.end(scope, sessionId, {
      status: ending.status,
      now,
      ...(ending.details !== '' && { details: ending.details }),
      ...(tellNode && { task }),
    })
    const { output, cut = false } = ending
    await bus.publish(sessionSubject(scope, sessionId), { type: 'ended', output, ...(cut && { cut }) })
    if (ended && tellNode) await bus.publish(nodeSubject(scope, nodeId), { type: 'tasks' })
  }

  #store(sessionId: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      // The store is closed when its answer comes: the next life will see to it.
      if (this.#closed) return
      this.#options.logger.error({ sessionId, err: error }, 'the state of a session could not be stored')
    })
  }
}

function endedEvent(relay: SessionRelay, message: BusMessage): void {
  if (eventType(message) !== 'ended') return
  relay.end(eventText(message, 'output'), { cut: eventFlag(message, 'cut') })
}

/** For the person; what it was is for those who may take it away. */
const REVOKED = 'This session is no longer allowed: your rights, its document or its node have changed.'

const RESTARTED = 'The agent on the node was restarted.'
const AGENT_RESTARTED: Ending = {
  status: 'Terminated',
  details: RESTARTED,
  output: RESTARTED,
  tellNode: false,
}

function deregistered(nodeId: string): Ending {
  const output = `${nodeId} was deregistered.`
  return { status: 'Terminated', details: output, output, tellNode: false }
}

function factsOf(session: Session, expiredCredentials: GatewayOptions['expiredCredentials']): SessionFacts {
  const { sessionId, nodeId, startedAt, idleTimeoutMs, maxDurationMs, documentContent } = session
  const sessionType = eventText(documentContent, 'sessionType')
  return {
    sessionId,
    nodeId,
    sessionType,
    startedAt,
    idleTimeoutMs: idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT,
    maxDurationMs,
    credentialsExpireAt: expiredCredentials === 'end' ? credentialsExpireAt(session) : null,
    agentCame: session.connectedAt !== null,
    clientCame: session.clientTokenUsedAt !== null,
    disconnected: session.status === 'Disconnected',
    agreed: session.agreed !== null,
  }
}
