import { ManualClock } from '@sallyport/protocol/manual-clock'
import { channelClosedPayload } from '@sallyport/protocol/payloads'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import type { Role } from './half.ts'
import type { Ending, SessionFacts } from './session-deadlines.ts'
import { SessionRelay } from './session-relay.ts'
import { decode, FakeConnection, readableLog } from './testing.ts'

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const START_TIMEOUT = 30 * SECOND
export const PONG_TIMEOUT = 15 * SECOND

/** A session whose owner stores every end at once, unless the store is said to fail. */
export function sessionRelayForTest(facts: Partial<SessionFacts> = {}) {
  const clock = new ManualClock()
  const log = readableLog()
  const endings: Ending[] = []
  const statuses: string[] = []
  const state = { connected: 0, disposed: 0, storeFails: false, endedAt: 0 }
  const relay: SessionRelay = new SessionRelay({
    facts: {
      sessionId: 's',
      nodeId: 'mi-0123456789abcdef0',
      sessionType: 'Standard_Stream',
      startedAt: clock.now(),
      idleTimeoutMs: 20 * MINUTE,
      maxDurationMs: null,
      credentialsExpireAt: null,
      agentCame: false,
      clientCame: false,
      disconnected: false,
      agreed: false,
      ...facts,
    },
    crypto: nodeCrypto,
    clock,
    logger: log.logger,
    startTimeout: START_TIMEOUT,
    // Connections of these tests answer no pings.
    pingEvery: 1000 * MINUTE,
    pongTimeout: PONG_TIMEOUT,
    onConnected: () => state.connected++,
    onClient: status => statuses.push(status),
    onAgreed: () => {},
    onFinished: ending => relay.finish(ending),
    onEnding: ending => {
      endings.push(ending)
      if (state.storeFails) return
      state.endedAt = clock.now()
      relay.end(ending.output)
    },
    onDisposed: () => state.disposed++,
  })
  const attach = (role: Role) => {
    const connection = new FakeConnection()
    relay.attach(role, connection)
    return connection
  }
  const started = clock.now()
  return { clock, relay, endings, statuses, state, attach, log, age: () => state.endedAt - started }
}

/** The reason that a connection was given for the end. */
export function outputOf(connection: FakeConnection): string | undefined {
  const closed = connection.sent.map(decode).find(({ messageType }) => messageType === 'channel_closed')
  return closed && channelClosedPayload.decode(closed.payload).Output
}
