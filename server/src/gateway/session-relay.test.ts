import { ManualClock } from '@sallyport/protocol/manual-clock'
import { describe, expect, test } from 'vitest'
import { CLIENT_START_TIMEOUT } from './session-deadlines.ts'
import { LINGER } from './session-relay.ts'
import {
  MINUTE,
  outputOf,
  PONG_TIMEOUT,
  SECOND,
  START_TIMEOUT,
  sessionRelayForTest as setUp,
} from './session-relay-testing.ts'
import { acknowledge, input, output, sessionState } from './testing.ts'

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
