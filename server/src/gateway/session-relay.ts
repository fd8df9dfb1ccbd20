import type { Clock } from '@sallyport/protocol/clock'
import type { Crypto } from '@sallyport/protocol/crypto'
import { SessionState } from '@sallyport/protocol/payloads'
import type { Connection } from '@sallyport/protocol/transport/transport'
import type { Logger } from '../logger.ts'
import type { Role } from './half.ts'
import { Relay } from './relay.ts'

/** How long an ended session's client may take to come back and read the last of it. */
const LINGER = 60_000
/** A session whose client never came is nobody's. */
const CLIENT_START_TIMEOUT = 5 * 60_000
/** How often activity and duration are looked at; time-outs are minutes. */
const MINIMUM_CHECK = 250

export type SessionFacts = {
  sessionId: string
  nodeId: string
  startedAt: number
  idleTimeoutMs: number
  maxDurationMs: number | null
}

export type Ending = {
  status: 'Terminated' | 'Failed'
  /** For the record. */
  details: string
  /** For the user; empty for an ordinary end. */
  output: string
}

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
  /** The session has to end for the reason given; the owner stores it and then calls `end`. */
  onEnding(ending: Ending): void
  /** Nothing is left of it here. */
  onDisposed(): void
}

/**
 * A session at the gateway: its relay, and the clocks that run for it, which neither end has (data-plane.md 17):
 * the start, the idle time-out and the maximum duration.
 */
export class SessionRelay {
  readonly facts: SessionFacts
  readonly #options: SessionRelayOptions
  readonly #relay: Relay
  readonly #logger: Logger
  #lastActivity: number
  #agentCame = false
  #clientCame = false
  #ended = false
  #cancelCheck: () => void = () => {}

  constructor(options: SessionRelayOptions) {
    const { facts, crypto, clock, logger, pingEvery, pongTimeout } = options
    this.facts = facts
    this.#options = options
    this.#logger = logger.child({ sessionId: facts.sessionId })
    this.#lastActivity = clock.now()
    this.#relay = new Relay({
      sessionId: facts.sessionId,
      nodeId: facts.nodeId,
      crypto,
      clock,
      pingEvery,
      pongTimeout,
      onActivity: () => {
        this.#lastActivity = clock.now()
      },
      onPresence: (role, present, reason) => this.#presence(role, present, reason),
      onAgentState: state => this.#agentState(state),
      onAgreed: options.onAgreed,
      onViolation: (role, error) =>
        this.#logger.warn({ role, code: error.code, reason: error.message }, 'protocol violation'),
    })
    this.#scheduleCheck()
  }

  attach(role: Role, connection: Connection): void {
    if (role === 'agent') {
      if (!this.#agentCame) this.#options.onConnected()
      this.#agentCame = true
    } else this.#clientCame = true
    this.#relay.attach(role, connection)
    this.#scheduleCheck()
  }

  /** The end is stored: the client is told, and both sockets close once they have read it. */
  end(output: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#cancelCheck()
    this.#relay.close(output)
    // A client that is away gets its last frames if it comes back; one that is here closes by itself.
    const linger = this.#relay.isPresent('client') ? this.#options.pongTimeout : LINGER
    this.#cancelCheck = this.#options.clock.after(linger, () => this.dispose('session ended'))
  }

  dispose(reason: string): void {
    this.#cancelCheck()
    this.#relay.dispose(reason)
    this.#options.onDisposed()
  }

  #presence(role: Role, present: boolean, reason: string): void {
    this.#logger.info(
      { role, ...(reason !== '' && { reason }) },
      present ? 'data channel open' : 'data channel lost',
    )
    if (this.#ended && role === 'client' && !present) this.dispose('session ended')
  }

  #agentState(state: string): void {
    if (state === SessionState.terminating) {
      this.#options.onEnding({ status: 'Terminated', details: '', output: '' })
    }
  }

  #scheduleCheck(): void {
    this.#cancelCheck()
    if (this.#ended) return
    const wait = Math.max(MINIMUM_CHECK, this.#nextDeadline() - this.#options.clock.now())
    this.#cancelCheck = this.#options.clock.after(wait, () => {
      const ending = this.#overdue()
      if (ending === undefined) this.#scheduleCheck()
      else this.#options.onEnding(ending)
    })
  }

  #nextDeadline(): number {
    return Math.min(...this.#deadlines().map(([at]) => at))
  }

  #overdue(): Ending | undefined {
    const now = this.#options.clock.now()
    return this.#deadlines().find(([at]) => at <= now)?.[1]
  }

  #deadlines(): Array<[at: number, ending: Ending]> {
    const { startedAt, idleTimeoutMs, maxDurationMs, nodeId } = this.facts
    const { startTimeout } = this.#options
    const deadlines: Array<[number, Ending]> = []
    if (!this.#agentCame) {
      const reason = `${nodeId} did not open its end of the session within ${startTimeout / 1000} s. Its agent is connected but does not answer, or cannot reach this server a second time.`
      deadlines.push([startedAt + startTimeout, { status: 'Failed', details: reason, output: reason }])
    } else {
      const output = 'Your session timed out due to inactivity and has been terminated.'
      deadlines.push([
        this.#lastActivity + idleTimeoutMs,
        { status: 'Terminated', details: 'Idle timeout', output },
      ])
    }
    if (!this.#clientCame) {
      const details = 'The client never opened its data channel'
      deadlines.push([
        Math.max(startedAt, this.#lastActivity) + CLIENT_START_TIMEOUT,
        { status: 'Terminated', details, output: '' },
      ])
    }
    if (maxDurationMs !== null) {
      const minutes = maxDurationMs / 60_000
      const output = `Your session reached its maximum duration of ${minutes} minute${minutes === 1 ? '' : 's'} and has been terminated.`
      deadlines.push([
        startedAt + maxDurationMs,
        { status: 'Terminated', details: 'Maximum duration', output },
      ])
    }
    return deadlines
  }
}
