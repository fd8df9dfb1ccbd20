import type { Clock } from '@sallyport/protocol/clock'
import type { Crypto } from '@sallyport/protocol/crypto'
import { SessionType } from '@sallyport/protocol/handshake'
import { SessionState } from '@sallyport/protocol/payloads'
import type { Connection } from '@sallyport/protocol/transport/transport'
import type { Logger } from '../logger.ts'
import type { Role } from './half.ts'
import { Relay } from './relay.ts'
import { type Deadline, type Ending, type SessionFacts, sessionDeadlines } from './session-deadlines.ts'

/** How long a client that is away may take to come and read the last of a session that ended by itself. */
export const LINGER = 60_000
/** How often activity and duration are looked at; time-outs are minutes. */
const MINIMUM_CHECK = 250
/** After so long an end that could not be stored is tried again. */
const END_RETRY = 5_000
const NORMAL_CLOSE = 1000

export type SessionRelayOptions = {
  facts: SessionFacts
  crypto: Crypto
  clock: Clock
  logger: Logger
  startTimeout: number
  pingEvery: number
  pongTimeout: number
  onConnected(): void
  onAgreed(agreed: { payload: number; window: number }): void
  /** What the session ran is over, says the agent; the owner calls `finish` or `end`. */
  onFinished(ending: Ending): void
  /** The session has to end for the reason given; the owner stores it and then calls `end`. Repeated until it did. */
  onEnding(ending: Ending): void
  /** Nothing is left of it here. */
  onDisposed(): void
}

/**
 * open: frames are passed on.
 * finishing: over at the node; the client, which is away, still gets what waits for it.
 * ended: stored as ended; the client may read what is on its way to it.
 */
type State = 'open' | 'finishing' | 'ended' | 'disposed'

/** A session at the gateway: its relay, its clocks, and its end. */
export class SessionRelay {
  readonly facts: SessionFacts
  readonly #options: SessionRelayOptions
  readonly #relay: Relay
  readonly #logger: Logger
  readonly #since: number
  #state: State = 'open'
  #finish: Deadline | undefined
  #lastActivity: number
  #agentCame: boolean
  #clientCame: boolean
  #cancelCheck: () => void = () => {}

  constructor(options: SessionRelayOptions) {
    const { facts, clock, logger } = options
    this.facts = facts
    this.#options = options
    this.#logger = logger.child({ sessionId: facts.sessionId })
    this.#since = clock.now()
    this.#lastActivity = this.#since
    this.#agentCame = facts.agentCame
    this.#clientCame = facts.clientCame
    this.#relay = this.#newRelay()
    this.#scheduleCheck()
  }

  /** Whether it is worth waiting for the client before the session ends: it is away, and may be on its way. */
  get awaitsClient(): boolean {
    const over = this.#state === 'ended' || this.#state === 'disposed'
    return !over && !this.#relay.isPresent('client') && !this.#relay.clientLeft
  }

  attach(role: Role, connection: Connection): void {
    const over = this.#state === 'ended' || this.#state === 'disposed'
    if (over || (this.#state === 'finishing' && role === 'agent')) {
      connection.close(NORMAL_CLOSE, 'the session has ended')
      return
    }
    if (role === 'agent') this.#noteAgent()
    else this.#clientCame = true
    this.#relay.attach(role, connection)
    this.#scheduleCheck()
    if (this.#finish !== undefined && this.#relay.isPresent('client'))
      this.#options.onEnding(this.#finish.ending)
  }

  /** The session is over at the node, and its client is away: what waits for it is kept for a while. */
  finish(ending: Ending): void {
    if (this.#state === 'ended' || this.#state === 'disposed') return
    this.#state = 'finishing'
    this.#relay.close(ending.output)
    this.#finish = { at: this.#finish?.at ?? this.#options.clock.now() + LINGER, ending }
    if (this.awaitsClient) this.#scheduleCheck()
    else this.#options.onEnding(ending)
  }

  /** The end is stored: the client is told, and both sockets close once it has read that. */
  end(output: string): void {
    if (this.#state === 'ended' || this.#state === 'disposed') return
    this.#state = 'ended'
    this.#cancelCheck()
    this.#relay.close(output)
    if (!this.#relay.isPresent('client')) return this.dispose('session ended')
    const { clock, pongTimeout } = this.#options
    this.#cancelCheck = clock.after(pongTimeout, () => this.dispose('session ended'))
  }

  dispose(reason: string): void {
    if (this.#state === 'disposed') return
    this.#state = 'disposed'
    this.#cancelCheck()
    this.#relay.dispose(reason)
    this.#options.onDisposed()
  }

  #newRelay(): Relay {
    const { facts, crypto, clock, pingEvery, pongTimeout, onAgreed } = this.#options
    return new Relay({
      sessionId: facts.sessionId,
      nodeId: facts.nodeId,
      crypto,
      clock,
      pingEvery,
      pongTimeout,
      mayPauseAgent: facts.sessionType !== SessionType.nonInteractiveCommands,
      agreed: facts.agreed,
      onActivity: () => {
        this.#lastActivity = clock.now()
      },
      onPresence: (role, present, reason) => this.#presence(role, present, reason),
      onAgentState: state => {
        if (state !== SessionState.terminating) return
        this.#options.onFinished({ status: 'Terminated', details: '', output: '', tellNode: false })
      },
      onAgreed,
      onViolation: (role, error) =>
        this.#logger.warn({ role, code: error.code, reason: error.message }, 'protocol violation'),
    })
  }

  #noteAgent(): void {
    if (this.#agentCame) return
    this.#agentCame = true
    this.#lastActivity = this.#options.clock.now()
    this.#options.onConnected()
  }

  #presence(role: Role, present: boolean, reason: string): void {
    this.#logger.info(
      { role, ...(reason !== '' && { reason }) },
      present ? 'data channel open' : 'data channel lost',
    )
    if (this.#state === 'ended' && role === 'client' && !present) this.dispose('session ended')
  }

  #scheduleCheck(): void {
    const deadlines = this.#deadlines().map(({ at }) => at)
    this.#check(Math.max(MINIMUM_CHECK, Math.min(...deadlines) - this.#options.clock.now()))
  }

  #check(wait: number): void {
    if (this.#state === 'ended' || this.#state === 'disposed') return
    this.#cancelCheck()
    this.#cancelCheck = this.#options.clock.after(wait, () => {
      const now = this.#options.clock.now()
      const overdue = this.#deadlines().find(({ at }) => at <= now)
      if (overdue === undefined) return this.#scheduleCheck()
      this.#options.onEnding(overdue.ending)
      this.#check(END_RETRY)
    })
  }

  #deadlines(): Deadline[] {
    if (this.#finish !== undefined) return [this.#finish]
    const progress = {
      since: this.#since,
      lastActivity: this.#lastActivity,
      agentCame: this.#agentCame,
      clientCame: this.#clientCame,
    }
    return sessionDeadlines(this.facts, progress, this.#options.startTimeout)
  }
}
