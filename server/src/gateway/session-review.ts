import { setImmediate as nextTurn } from 'node:timers/promises'
import { accessSubject } from '../bus/bus.ts'
import { Passes } from '../bus/passes.ts'
import type { Session } from '../store/sessions.ts'
import type { GatewayOptions } from './options.ts'

/** So many are read, and so many decided again, before anything else gets its turn. */
const READ_AT_ONCE = 100
const DECIDED_AT_ONCE = 50

export type SessionReviewOptions = Pick<
  GatewayOptions,
  'bus' | 'clock' | 'scope' | 'authority' | 'logger'
> & {
  /** All sessions that have not ended, read in pages of so many. */
  active: (pageSize: number) => AsyncIterable<Session>
  revoke: (session: Session, denial: string) => Promise<void>
}

/** Decides again about all sessions whenever what somebody is allowed may have changed (DESIGN 6.6). */
export class SessionReview {
  readonly #options: SessionReviewOptions
  readonly #passes: Passes
  #closed = false

  constructor(options: SessionReviewOptions) {
    this.#options = options
    const { bus, clock, scope, logger } = options
    this.#passes = new Passes({
      bus,
      clock,
      subject: accessSubject(scope),
      pass: () => this.#decideAll(),
      onError: error => logger.error({ err: error }, 'sessions could not be decided again'),
    })
  }

  /** As after a change. */
  request(): void {
    this.#passes.request()
  }

  close(): void {
    this.#closed = true
    this.#passes.close()
  }

  async #decideAll(): Promise<void> {
    let batch: Session[] = []
    for await (const session of this.#options.active(READ_AT_ONCE)) {
      batch.push(session)
      if (batch.length < DECIDED_AT_ONCE) continue
      await this.#decide(batch)
      batch = []
      // Or thousands of sessions would keep the bytes of all others waiting.
      await nextTurn()
    }
    await this.#decide(batch)
  }

  /** One that cannot be decided about keeps the others from nothing; its turn comes again. */
  async #decide(sessions: readonly Session[]): Promise<void> {
    if (this.#closed) return
    const { authority, revoke, logger } = this.#options
    const decisions = sessions.map(async session => {
      const denial = await authority.denial(session)
      if (denial !== undefined) await revoke(session, denial)
    })
    for (const [i, decision] of (await Promise.allSettled(decisions)).entries()) {
      if (decision.status === 'fulfilled' || this.#closed) continue
      const sessionId = sessions[i]?.sessionId
      logger.error({ sessionId, err: decision.reason }, 'a session could not be decided again')
    }
  }
}
