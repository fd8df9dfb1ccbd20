import { ManualClock } from '@sallyport/protocol/manual-clock'
import { PayloadType } from '@sallyport/protocol/message-types'
import { channelClosedPayload, sessionNoticePayload } from '@sallyport/protocol/payloads'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { describe, expect, test } from 'vitest'
import type { Role } from './half.ts'
import { CLIENT_START_TIMEOUT, type Ending, type SessionFacts } from './session-deadlines.ts'
import { LINGER, SessionRelay } from './session-relay.ts'
import {
  acknowledge,
  decode,
  FakeConnection,
  frameOf,
  input,
  output,
  readableLog,
  sessionState,
} from './testing.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const START_TIMEOUT = 30 * SECOND
const PONG_TIMEOUT = 15 * SECOND

/** A session whose owner stores every end at once, unless the store is said to fail. */
function setUp(facts: Partial<SessionFacts> = {}) {
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

function outputOf(connection: FakeConnection): string | undefined {
  const closed = connection.sent.map(decode).find(({ messageType }) => messageType === 'channel_closed')
  return closed && channelClosedPayload.decode(closed.payload).Output
}

describe('the start', () => {
  test('fails when the agent does not come in time, and the client is told why', () => {
    const { clock, attach, endings, age } = setUp()
    const client = attach('client')
    clock.advance(START_TIMEOUT - 1)
    expect(endings).toEqual([])
    clock.advance(SECOND)
    expect(endings).toMatchObject([{ status: 'Failed', tellNode: true }])
    expect(outputOf(client)).toBe(
      'mi-0123456789abcdef0 did not open its end of the session within 30 s. Its agent is connected but does not answer, or cannot reach this server a second time.',
    )
    expect(endings[0]?.details).toBe(outputOf(client))
    expect(age()).toBeLessThanOrEqual(START_TIMEOUT + SECOND)
  })

  test('is done when the agent has come once', () => {
    const { clock, attach, state, endings } = setUp()
    attach('client')
    attach('agent').lose()
    attach('agent')
    clock.advance(10 * MINUTE)
    expect(state.connected).toBe(1)
    expect(endings).toEqual([])
  })

  test('needs the client too, but later', () => {
    const { clock, attach, endings, age } = setUp()
    const agent = attach('agent')
    for (let i = 0; i < 10; i++) {
      agent.receive(output(i))
      clock.advance(MINUTE)
    }
    expect(endings).toMatchObject([{ details: 'The client never opened its data channel' }])
    expect(age()).toBe(CLIENT_START_TIMEOUT)
  })

  test('is not waited for again after a restart of the server', () => {
    const startedAt = new ManualClock().now() - 60 * MINUTE
    const { clock, endings } = setUp({ startedAt, agentCame: true, clientCame: true })
    clock.advance(19 * MINUTE)
    expect(endings).toEqual([])
    clock.advance(MINUTE)
    expect(endings).toMatchObject([{ details: 'Idle timeout' }])
  })

  test('that was overdue when the server came back fails then', () => {
    const startedAt = new ManualClock().now() - 60 * MINUTE
    const { clock, endings } = setUp({ startedAt })
    clock.advance(SECOND)
    expect(endings).toMatchObject([{ status: 'Failed' }])
  })
})

describe('the idle time-out', () => {
  test('comes so long after the last new data of either end', () => {
    const { clock, attach, endings, age } = setUp({ idleTimeoutMs: 2 * MINUTE })
    const [client, agent] = [attach('client'), attach('agent')]
    clock.advance(MINUTE)
    client.receive(input(0))
    clock.advance(MINUTE)
    agent.receive(output(0))
    clock.advance(2 * MINUTE - 1)
    expect(endings).toEqual([])
    clock.advance(SECOND)
    expect(age()).toBeLessThanOrEqual(4 * MINUTE + SECOND)
    expect(outputOf(client)).toBe('Your session timed out due to inactivity and has been terminated.')
    expect(endings).toMatchObject([{ status: 'Terminated', details: 'Idle timeout', tellNode: true }])
  })

  test('is not put off by acknowledgements, repetitions, states, new connections and pings', () => {
    const { clock, attach, endings } = setUp({ idleTimeoutMs: 2 * MINUTE })
    let [client, agent] = [attach('client'), attach('agent')]
    client.receive(input(0))
    agent.receive(output(0))
    for (let i = 0; i < 23; i++) {
      clock.advance(5 * SECOND)
      client.receive(input(0), acknowledge(0))
      agent.receive(output(0), sessionState('Connected'))
      client.events.pong()
      if (i === 10) client = attach('client')
      if (i === 15) agent = attach('agent')
    }
    expect(endings).toEqual([])
    clock.advance(5 * SECOND + 250)
    expect(endings).toMatchObject([{ details: 'Idle timeout' }])
  })
})

describe('the maximum duration', () => {
  test('ends a busy session, says so, and delivers nothing after it', () => {
    const { clock, attach, endings, age } = setUp({ maxDurationMs: 3 * MINUTE, idleTimeoutMs: MINUTE })
    const [client, agent] = [attach('client'), attach('agent')]
    for (let i = 0; i < 200; i++) {
      client.receive(input(i))
      agent.receive(output(i))
      clock.advance(SECOND)
    }
    expect(endings).toMatchObject([{ status: 'Terminated', details: 'Maximum duration', tellNode: true }])
    expect(age()).toBe(3 * MINUTE)
    expect(outputOf(client)).toBe(
      'Your session reached its maximum duration of 3 minutes and has been terminated.',
    )
    expect(client.types.at(-1)).toBe('channel_closed')
    expect(agent.types.at(-1)).toBe('channel_closed')
  })

  test('counts from the start of the session, not of the server', () => {
    const startedAt = new ManualClock().now() - 50 * MINUTE
    const { clock, endings } = setUp({
      startedAt,
      maxDurationMs: 60 * MINUTE,
      agentCame: true,
      clientCame: true,
    })
    clock.advance(10 * MINUTE)
    expect(endings).toMatchObject([{ details: 'Maximum duration' }])
  })
})

describe('a warning', () => {
  const notices = (client: FakeConnection) =>
    client.sent
      .map(decode)
      .filter(({ messageType }) => messageType === 'session_notice')
      .map(({ payload }) => sessionNoticePayload.decode(payload).Text)
  const own = { agreed: true, agentCame: true, clientCame: true }

  test('comes a minute before the idle time-out, once, and again after somebody did something', () => {
    const { clock, attach, endings } = setUp({ ...own, idleTimeoutMs: 20 * MINUTE })
    const [client] = [attach('client'), attach('agent')]
    clock.advance(19 * MINUTE - 1)
    expect(notices(client)).toEqual([])
    clock.advance(30 * SECOND)
    const text =
      'Nothing was typed or printed for 19 minutes. This session ends in 60 seconds; press a key to keep it open.'
    expect(notices(client)).toEqual([text])
    client.receive(input(0))
    clock.advance(19 * MINUTE - 1)
    expect(notices(client)).toEqual([text])
    clock.advance(MINUTE - SECOND)
    expect(notices(client)).toEqual([text, text])
    expect(endings).toEqual([])
    clock.advance(2 * SECOND)
    expect(endings).toMatchObject([{ details: 'Idle timeout' }])
  })

  test('comes in the last tenth of a short limit, and speaks of data where nobody types', () => {
    const { clock, attach } = setUp({ ...own, idleTimeoutMs: MINUTE, sessionType: 'Port' })
    const client = attach('client')
    clock.advance(54 * SECOND - 1)
    expect(notices(client)).toEqual([])
    clock.advance(SECOND)
    expect(notices(client)).toEqual([
      'No data has passed for 54 seconds. This session ends in 6 seconds unless some does.',
    ])
  })

  test('comes before the maximum duration, which nothing puts off', () => {
    const { clock, attach, endings } = setUp({ ...own, maxDurationMs: 30 * MINUTE })
    const [client, agent] = [attach('client'), attach('agent')]
    for (let i = 0; i < 30; i++) {
      agent.receive(output(i))
      clock.advance(MINUTE)
    }
    expect(notices(client)).toEqual([
      'This session ends in 60 seconds, when it reaches its maximum duration of 30 minutes. Nothing can put that off; save your work.',
    ])
    expect(endings).toMatchObject([{ details: 'Maximum duration' }])
  })

  test('waits for a client that is away', () => {
    const { clock, attach } = setUp({ ...own, maxDurationMs: 30 * MINUTE, idleTimeoutMs: 60 * MINUTE })
    attach('client').lose()
    clock.advance(29 * MINUTE + 10 * SECOND)
    const client = attach('client')
    clock.advance(SECOND)
    expect(notices(client)).toHaveLength(1)
  })

  test('is not for a stock client, which would not know what it is', () => {
    const { clock, attach, endings } = setUp({ ...own, agreed: false, idleTimeoutMs: MINUTE })
    const client = attach('client')
    clock.advance(2 * MINUTE)
    expect(endings.length).toBeGreaterThan(0)
    expect(client.types).toEqual(['channel_closed'])
  })
})

describe("a machine's time that steps", () => {
  test('ends no session early and none late', () => {
    const { clock, attach, endings } = setUp({ idleTimeoutMs: 20 * MINUTE, maxDurationMs: 30 * MINUTE })
    const client = attach('client')
    attach('agent')
    clock.setBack(-60 * MINUTE)
    clock.advance(SECOND)
    client.receive(input(0))
    expect(endings).toEqual([])
    clock.setBack(120 * MINUTE)
    clock.advance(20 * MINUTE)
    expect(endings).toMatchObject([{ details: 'Idle timeout' }])
  })
})

test('an answer to the handshake that comes too late ends the session, with a reason and a line in the log', () => {
  const { clock, attach, endings, log } = setUp({ sessionType: 'Port' })
  const [client, agent] = [attach('client'), attach('agent')]
  agent.receive(frameOf({ messageType: 'output_stream_data', payloadType: PayloadType.handshakeRequest }))
  clock.advance(16 * SECOND)
  client.receive(frameOf({ payloadType: PayloadType.handshakeResponse }))
  const reason =
    'The client answered the handshake 16 s after mi-0123456789abcdef0 had asked, which is too late.'
  expect(endings).toEqual([{ status: 'Failed', details: reason, output: reason, tellNode: true }])
  expect(agent.types).not.toContain('input_stream_data')
  expect(outputOf(client)).toBe(reason)
  expect(log.lines).toContainEqual(expect.objectContaining({ msg: 'handshake answered too late', reason }))
})

describe('an end', () => {
  test('that could not be stored is tried again', () => {
    const { clock, attach, endings, state } = setUp({ idleTimeoutMs: MINUTE })
    attach('client')
    attach('agent')
    state.storeFails = true
    clock.advance(MINUTE + SECOND)
    expect(endings).toHaveLength(1)
    clock.advance(30 * SECOND)
    expect(endings.length).toBeGreaterThan(3)
    expect(endings.length).toBeLessThan(10)
    state.storeFails = false
    clock.advance(10 * SECOND)
    clock.advance(MINUTE)
    expect(state.disposed).toBe(1)
    expect(clock.pending).toBe(0)
  })

  test('lets a client that is there read it and close', async () => {
    const { clock, relay, attach, state } = setUp()
    const [client, agent] = [attach('client'), attach('agent')]
    relay.end('')
    expect(client.closedWith).toBeUndefined()
    client.lose()
    expect(state.disposed).toBe(1)
    expect(agent.closedWith?.code).toBe(1000)
    expect(clock.pending).toBe(0)
  })

  test('does not wait for ever for a client that does not close', () => {
    const { clock, relay, attach, state } = setUp()
    const client = attach('client')
    relay.end('')
    relay.end('')
    clock.advance(PONG_TIMEOUT)
    expect(state.disposed).toBe(1)
    expect(client.closedWith?.code).toBe(1000)
    expect(clock.pending).toBe(0)
  })

  test('does not wait at all for a client that is away', () => {
    const { clock, relay, attach, state } = setUp()
    attach('client').lose()
    attach('agent')
    relay.end('')
    expect(state.disposed).toBe(1)
    expect(clock.pending).toBe(0)
  })

  test('refuses whoever opens a data channel a moment too late', () => {
    const { relay, attach } = setUp()
    const client = attach('client')
    relay.end('')
    for (const role of ['client', 'agent'] as const) {
      expect(attach(role).closedWith).toEqual({ code: 1000, reason: 'the session has ended' })
    }
    expect(client.closedWith).toBeUndefined()
  })
})

describe('a session that is over at the node', () => {
  const over = sessionState('Terminating')

  test('ends at once when its client is there', () => {
    const { attach, endings } = setUp()
    const [client, agent] = [attach('client'), attach('agent')]
    agent.receive(output(0), over)
    expect(endings).toMatchObject([{ status: 'Terminated', output: '', tellNode: false }])
    expect(client.types.slice(-2)).toEqual(['output_stream_data', 'channel_closed'])
  })

  test('before its client came waits for it, with its last words and the reason', () => {
    const { clock, relay, attach, endings, state } = setUp()
    attach('agent').receive(output(0, 'hello'))
    relay.finish({ status: 'Failed', details: 'no such user', output: 'no such user', tellNode: false })
    clock.advance(LINGER - SECOND)
    expect(endings).toEqual([])
    const client = attach('client')
    expect(client.types).toEqual(['output_stream_data', 'channel_closed'])
    expect(outputOf(client)).toBe('no such user')
    expect(endings).toMatchObject([{ status: 'Failed', details: 'no such user', tellNode: false }])
    client.lose()
    expect(state.disposed).toBe(1)
    expect(clock.pending).toBe(0)
  })

  test('ends without its client after a minute', () => {
    const { clock, attach, endings, state } = setUp()
    attach('client').lose()
    attach('agent').receive(over)
    clock.advance(LINGER - 1)
    expect(endings).toEqual([])
    clock.advance(SECOND)
    expect(endings).toMatchObject([{ status: 'Terminated' }])
    expect(state.disposed).toBe(1)
    expect(clock.pending).toBe(0)
  })

  test('does not wait for a client that said goodbye', () => {
    const { attach, endings } = setUp()
    attach('client').lose(1000)
    attach('agent').receive(over)
    expect(endings).toHaveLength(1)
  })

  test('takes the better reason when there are two, and no more time for it', () => {
    const { clock, relay, attach, endings } = setUp()
    attach('agent').receive(over)
    clock.advance(LINGER / 2)
    relay.finish({ status: 'Failed', details: 'the second', output: '', tellNode: false })
    clock.advance(LINGER / 2 + SECOND)
    expect(endings).toMatchObject([{ details: 'the second' }])
  })

  test('can still be terminated by somebody', () => {
    const { relay, attach, state } = setUp()
    attach('agent').receive(over)
    relay.end('')
    expect(state.disposed).toBe(1)
  })

  test('takes no agent back', () => {
    const { attach } = setUp()
    attach('agent').receive(over)
    expect(attach('agent').closedWith?.reason).toBe('the session has ended')
  })
})

test('a protocol violation is one line in the log, with the session and the end', () => {
  const { attach, log } = setUp()
  attach('client').receive(new Uint8Array(7))
  expect(log.lines.filter(line => line.level === 'warn')).toMatchObject([
    { sessionId: 's', role: 'client', code: 'frame-too-short', msg: 'protocol violation' },
  ])
})
