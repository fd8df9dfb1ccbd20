import type { Clock } from '@sallyport/protocol/clock'
import type { Crypto } from '@sallyport/protocol/crypto'
import { SessionState } from '@sallyport/protocol/payloads'
import type { Connection } from '@sallyport/protocol/transport/transport'
import type { Logger } from '../logger.ts'
import { ClientPresence, type RecordedPresence } from './client-presence.ts'
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
  /** The client has gone, or is back; not for a blink of the network. */
  onClient(status: RecordedPresence): void
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
  readonly #client: ClientPresence
  /** Of a clock that never steps, like all times here: when this gateway had the session, and when it was started. */
  readonly #since: number
  readonly #started: number
  /** Which deadlines the client was warned of, and when they were. */
  readonly #warned = new Map<string, number>()
  #state: State = 'open'
  #finish: { at: number; ending: Ending } | undefined
  #lastActivity: number
  #agentCame: boolean
  #clientCame: boolean
  #cancelCheck: () => void = () => {}

  constructor(options: SessionRelayOptions) {
    const { facts, clock, logger } = options
    this.facts = facts
    this.#options = options
    this.#logger = logger.child({ sessionId: facts.sessionId })
    this.#since = clock.monotonic()
    this.#started = this.#since - Math.max(0, clock.now() - facts.startedAt)
    this.#lastActivity = this.#since
    this.#agentCame = facts.agentCame
    this.#clientCame = facts.clientCame
    this.#client = new ClientPresence(clock, facts.disconnected ? 'Disconnected' : 'Connected', status =>
      this.#recordClient(status),
    )
    this.#relay = this.#newRelay()
    // After a restart it may never come back.
    if (facts.clientCame) this.#client.went()
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
    if (role === 'client') this.#warned.clear()
    this.#scheduleCheck()
    if (this.#finish !== undefined && this.#relay.isPresent('client'))
      this.#options.onEnding(this.#finish.ending)
  }

  /** The session is over at the node, and its client is away: what waits for it is kept for a while. */
  finish(ending: Ending): void {
    if (this.#state === 'ended' || this.#state === 'disposed') return
    this.#state = 'finishing'
    this.#relay.close(ending.output)
    this.#finish = { at: this.#finish?.at ?? this.#options.clock.monotonic() + LINGER, ending }
    if (this.awaitsClient) this.#scheduleCheck()
    else this.#options.onEnding(ending)
  }

  /**
   * The end is stored: the client is told, and both sockets close once it has read that. `cut`: what waits for either
   * end is dropped.
   */
  end(output: string, { cut = false } = {}): void {
    if (this.#state === 'ended' || this.#state === 'disposed') return
    this.#state = 'ended'
    this.#cancelCheck()
    this.#client.stop()
    if (cut) this.#relay.drop()
    this.#relay.close(output)
    if (!this.#relay.isPresent('client')) return this.dispose('session ended')
    const { clock, pongTimeout } = this.#options
    this.#cancelCheck = clock.after(pongTimeout, () => this.dispose('session ended'))
  }

  dispose(reason: string): void {
    if (this.#state === 'disposed') return
    this.#state = 'disposed'
    this.#cancelCheck()
    this.#client.stop()
    this.#relay.dispose(reason)
    this.#options.onDisposed()
  }

  #newRelay(): Relay {
    const { facts, crypto, clock, pingEvery, pongTimeout, onAgreed } = this.#options
    return new Relay({
      sessionId: facts.sessionId,
      nodeId: facts.nodeId,
      sessionType: facts.sessionType,
      crypto,
      clock,
      pingEvery,
      pongTimeout,
      agreed: facts.agreed,
      onActivity: () => {
        this.#lastActivity = clock.monotonic()
      },
      onPresence: (role, present, reason) => this.#presence(role, present, reason),
      onAgentState: state => {
        if (state !== SessionState.terminating) return
        this.#options.onFinished({ status: 'Terminated', details: '', output: '', tellNode: false })
      },
      onAgreed,
      onLateAnswer: waited => this.#late(waited),
      onViolation: (role, error) =>
        this.#logger.warn({ role, code: error.code, reason: error.message }, 'protocol violation'),
      onUnknown: role => this.#logger.warn({ role }, 'messages of an unknown type are dropped'),
    })
  }

  #noteAgent(): void {
    if (this.#agentCame) return
    this.#agentCame = true
    this.#lastActivity = this.#options.clock.monotonic()
    this.#options.onConnected()
  }

  /** The answer would block the reader of a stock agent, which has given up and may have failed to say so. */
  #late(waited: number): void {
    if (this.#state !== 'open') return
    const seconds = Math.round(waited / 1000)
    const reason = `The client answered the handshake ${seconds} s after ${this.facts.nodeId} had asked, which is too late.`
    this.#logger.warn({ role: 'client', reason }, 'handshake answered too late')
    this.#options.onEnding({ status: 'Failed', details: reason, output: reason, tellNode: true })
  }

  /** Not before the session runs: until then its status says what it waits for. */
  #recordClient(status: RecordedPresence): void {
    if (this.#state === 'open' && this.#agentCame) this.#options.onClient(status)
  }

  #presence(role: Role, present: boolean, reason: string): void {
    this.#logger.info(
      { role, ...(reason !== '' && { reason }) },
      present ? 'data channel open' : 'data channel lost',
    )
    if (role !== 'client') return
    if (present) this.#client.came()
    else if (this.#state === 'ended') this.dispose('session ended')
    else this.#client.went()
  }

  #scheduleCheck(): void {
    const deadlines = this.#deadlines()
    for (const deadline of deadlines) this.#warn(deadline)
    const waits = deadlines.map(({ remaining, warning: { before } = { before: 0 } }) =>
      remaining > before ? remaining - before : remaining,
    )
    this.#check(Math.max(MINIMUM_CHECK, Math.min(...waits)))
  }

  #check(wait: number): void {
    if (this.#state === 'ended' || this.#state === 'disposed') return
    this.#cancelCheck()
    this.#cancelCheck = this.#options.clock.after(wait, () => {
      const overdue = this.#deadlines().find(({ remaining }) => remaining <= 0)
      if (overdue === undefined) return this.#scheduleCheck()
      this.#options.onEnding(overdue.ending)
      this.#check(END_RETRY)
    })
  }

  /** Once for each client that comes, unless the end is put off meanwhile. */
  #warn({ remaining, ending, warning }: Deadline): void {
    if (warning === undefined || remaining > warning.before) return
    const at = Math.round(this.#options.clock.monotonic() + remaining)
    if (this.#warned.get(ending.details) === at) return
    this.#warned.set(ending.details, at)
    this.#relay.notify(warning.text)
  }

  #deadlines(): Deadline[] {
    const now = this.#options.clock.monotonic()
    if (this.#finish !== undefined) {
      return [{ remaining: this.#finish.at - now, ending: this.#finish.ending }]
    }
    const progress = {
      age: now - this.#started,
      here: now - this.#since,
      idle: now - this.#lastActivity,
      agentCame: this.#agentCame,
      clientCame: this.#clientCame,
    }
    return sessionDeadlines(this.facts, progress, this.#options.startTimeout)
  }
}
