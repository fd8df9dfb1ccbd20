import { taskAcknowledgePayload } from '@sallyport/protocol/control-channel'
import { describe, expect, test } from 'vitest'
import { sessionSubject } from '../bus/bus.ts'
import type { Session } from '../store/sessions.ts'
import { testScope as scope } from '../store/testing.ts'
import { DISCONNECTED_AFTER } from './client-presence.ts'
import {
  agentSessions,
  closings,
  eventually,
  type GatewayForTest,
  gateways,
  result,
  timing,
} from './gateway-testing.ts'
import { decode, output, sessionState } from './testing.ts'

const MINUTE = 60_000

const setUp = gateways()

describe('a session', () => {
  test('reaches the node as a task, once, and its two ends each other', async () => {
    const server = setUp()
    const node = await server.node()
    const control = await server.online(node)
    const session = await server.start(node)
    await eventually(() => control.types).toEqual(['interactive_shell'])
    const agent = server.attach(session, 'agent')
    const client = server.attach(session, 'client')
    agent.receive(output(0, 'hello'))
    expect(client.types).toEqual(['start_publication', 'output_stream_data'])
    await eventually(() => server.status(session)).toBe('Connected')
    expect(server.gateway.sessionCount).toBe(1)
    await server.terminate(session)
    await eventually(() => client.types.at(-1)).toBe('channel_closed')
    await eventually(async () => {
      await server.clock.play(50)
      return control.types
    }).toEqual(['interactive_shell', 'channel_closed'])
  })

  test('that was wanted while the node was away for a moment starts when it is back', async () => {
    const server = setUp()
    const node = await server.node()
    ;(await server.online(node)).lose()
    await server.start(node)
    const control = await server.online(node)
    expect(control.types).toEqual(['interactive_shell'])
    const again = await server.online(node)
    expect(again.types, 'nobody knows whether it was read').toEqual(['interactive_shell'])
  })

  test('that nobody opens fails in time, for the record too', async () => {
    const server = setUp()
    const node = await server.node()
    const control = await server.online(node)
    const session = await server.start(node)
    await eventually(() => server.gateway.sessionCount).toBe(1)
    server.clock.advance(timing.sessionStartTimeoutMs)
    await eventually(() => server.status(session)).toBe('Failed')
    expect((await server.session(session))?.details).toContain(
      'did not open its end of the session within 30 s',
    )
    await server.clock.play(100)
    await eventually(() => closings(control)).toEqual([{ SessionId: session.sessionId, Output: '' }])
    await eventually(() => server.gateway.sessionCount).toBe(0)
  })

  test('that times out ends for both ends, and at the node by its control channel', async () => {
    const server = setUp()
    const node = await server.node()
    const control = await server.online(node)
    const session = await server.start(node, { idleTimeoutMs: MINUTE })
    const [client, agent] = [server.attach(session, 'client'), server.attach(session, 'agent')]
    server.clock.advance(MINUTE)
    await eventually(() => closings(client)).toMatchObject([
      { Output: expect.stringContaining('inactivity') },
    ])
    expect(closings(agent)).toHaveLength(1)
    await server.clock.play(100)
    await eventually(() => closings(control)).toHaveLength(1)
    expect(await server.session(session)).toMatchObject({ status: 'Terminated', details: 'Idle timeout' })
    expect(await server.tasks(node)).toEqual(['end-session'])
    control.receive(result(session))
    await eventually(() => server.tasks(node)).toEqual([])
  })

  test('whose node never answers to its end is not repeated to it for ever', async () => {
    const server = setUp()
    const node = await server.node()
    const control = await server.online(node)
    const session = await server.start(node)
    await server.terminate(session)
    await eventually(() => control.types).toEqual(['channel_closed'])
    expect(await server.tasks(node)).toEqual(['end-session'])
    for (let i = 0; i < 3; i++) {
      await server.clock.play(timing.clientPingMs)
      control.events.pong()
    }
    await eventually(() => server.tasks(node)).toEqual([])
  })

  test('that ends while its client opens its channel does not stay', async () => {
    const server = setUp()
    const node = await server.node()
    const session = await server.start(node, {}, false)
    // The row was read before; nobody listens yet when the end is told.
    await server.terminate(session)
    const client = server.attach(session, 'client')
    await eventually(() => closings(client)).toHaveLength(1)
    server.clock.advance(timing.pongTimeoutMs)
    expect(server.gateway.sessionCount).toBe(0)
    expect(server.clock.pending).toBe(0)
  })

  test('leaves nothing behind', async () => {
    const server = setUp()
    const node = await server.node()
    for (let i = 0; i < 50; i++) {
      const session = await server.start(node)
      const [client, agent] = [server.attach(session, 'client'), server.attach(session, 'agent')]
      agent.receive(output(0), sessionState('Terminating', session.sessionId))
      await eventually(() => closings(client)).toHaveLength(1)
      client.lose()
    }
    expect(server.gateway.sessionCount).toBe(0)
    expect(server.clock.pending).toBe(0)
    expect(await server.tasks(node)).toEqual([])
    expect(server.busErrors).toEqual([])
  })
})

describe("a node's word that a session is over", () => {
  test('is stored before it is acknowledged, and ends the session for its client', async () => {
    const server = setUp()
    const node = await server.node()
    const control = await server.online(node)
    const session = await server.start(node)
    const client = server.attach(session, 'client')
    control.receive(result(session, 'Failed', 'no shell'))
    await eventually(() => control.types).toContain('agent_task_acknowledge')
    expect(await server.session(session)).toMatchObject({ status: 'Failed', details: 'no shell' })
    await eventually(() => closings(client)).toEqual([{ SessionId: session.sessionId, Output: 'no shell' }])
    expect(await server.tasks(node)).toEqual([])
  })

  test('counts once: of the two words of a stock agent the first, and no repetition', async () => {
    const server = setUp()
    const node = await server.node()
    const control = await server.online(node)
    const session = await server.start(node)
    server.attach(session, 'client')
    const first = result(session, 'Failed', 'the cause')
    control.receive(first, result(session, 'Failed', 'and what came of it'), first, result(session))
    const answers = () =>
      control.sent.map(decode).filter(each => each.messageType === 'agent_task_acknowledge')
    await eventually(() => answers().length).toBe(4)
    expect(answers().map(({ payload }) => taskAcknowledgePayload.decode(payload).TaskId)).toEqual(
      Array(4).fill(session.sessionId),
    )
    expect(await server.session(session)).toMatchObject({ status: 'Failed', details: 'the cause' })
  })

  test('reaches a client that comes only afterwards', async () => {
    const server = setUp()
    const node = await server.node()
    const control = await server.online(node)
    const session = await server.start(node)
    await eventually(() => server.gateway.sessionCount).toBe(1)
    control.receive(result(session, 'Failed', 'Unable to start the session: no such user'))
    await eventually(() => server.status(session)).toBe('Terminating')
    const client = server.attach((await server.session(session)) ?? session, 'client')
    expect(closings(client)).toEqual([
      { SessionId: session.sessionId, Output: 'Unable to start the session: no such user' },
    ])
    await eventually(() => server.status(session)).toBe('Failed')
    client.lose()
    await eventually(() => server.gateway.sessionCount).toBe(0)
  })

  test('is believed about its own sessions only; about those of others it ends its control channel', async () => {
    const server = setUp()
    const [node, other] = [await server.node(), await server.node()]
    const control = await server.online(other)
    const session = await server.start(node)
    const client = server.attach(session, 'client')
    control.receive(result(session, 'Failed', 'hijacked'))
    const reason = `it speaks for the session of another node, ${session.sessionId}`
    await eventually(() => control.closedWith).toEqual({ code: 1002, reason })
    expect(server.log.lines).toContainEqual(
      expect.objectContaining({ msg: 'protocol violation', nodeId: other, reason }),
    )
    expect(control.types).not.toContain('agent_task_acknowledge')
    expect(await server.status(session)).toBe('Connecting')
    expect(await server.tasks(node)).toEqual(['start-session'])
    expect(closings(client)).toEqual([])
  })

  test('has a bound', async () => {
    const server = setUp()
    const node = await server.node()
    const control = await server.online(node)
    const session = await server.start(node)
    server.attach(session, 'client')
    control.receive(result(session, 'Failed', 'x'.repeat(100_000)))
    await eventually(async () => (await server.session(session))?.details?.length).toBe(2500)
  })

  test('is kept whole, NUL or not', async () => {
    const server = setUp()
    const node = await server.node()
    const control = await server.online(node)
    const session = await server.start(node)
    server.attach(session, 'client')
    control.receive(result(session, 'Failed', 'all\0 of it'))
    await eventually(async () => (await server.session(session))?.details).toBe('all? of it')
  })
})

describe("a node's word which sessions it has", () => {
  const RESTARTED = 'The agent on the node was restarted.'
  const restarted = (sessionId: string) => [{ SessionId: sessionId, Output: RESTARTED }]

  async function running(server: GatewayForTest, node: string): Promise<Session> {
    const session = await server.start(node)
    // CreateDataChannel: the node need not be told again.
    await server.store.tasks.deleteForSession(scope, session.sessionId, 'start-session')
    server.attach(session, 'agent')
    await eventually(() => server.status(session)).toBe('Connected')
    return session
  }

  test('ends those that ran before and that it does not name, and tells their clients', async () => {
    const server = setUp()
    const node = await server.node()
    const killed = await server.online(node)
    const [lost, kept] = [await running(server, node), await running(server, node)]
    const elsewhere = await running(server, await server.node())
    const clients = [lost, kept, elsewhere].map(session => server.attach(session, 'client'))
    killed.lose()
    server.clock.advance(1000)
    const control = await server.online(node)
    control.receive(agentSessions(kept.sessionId))
    await eventually(() => clients.map(closings)).toEqual([restarted(lost.sessionId), [], []])
    expect(await server.session(lost)).toMatchObject({ status: 'Terminated', details: RESTARTED })
    expect(await server.status(kept)).toBe('Connected')
    expect(await server.status(elsewhere)).toBe('Connected')
    expect(await server.tasks(node), 'which has nothing to end').not.toContain('end-session')
  })

  test('ends none that it was told to start only now, or could not begin', async () => {
    const server = setUp()
    const node = await server.node()
    const begun = await server.start(node)
    server.clock.advance(1000)
    const control = await server.online(node)
    const late = await running(server, node)
    const ended = await running(server, node)
    server.clock.advance(1000)
    // As if it had been on its way all the time.
    control.receive(agentSessions(), result(ended))
    await eventually(() => control.types).toContain('agent_task_acknowledge')
    expect(await server.status(late)).toBe('Connected')
    expect(await server.status(begun)).toBe('Connecting')
    expect(control.types).toContain('interactive_shell')
  })

  test('is kept for a client that is on its way', async () => {
    const server = setUp()
    const node = await server.node()
    const session = await running(server, node)
    server.clock.advance(1000)
    ;(await server.online(node)).receive(agentSessions())
    await eventually(() => server.status(session)).toBe('Terminating')
    const client = server.attach((await server.session(session)) ?? session, 'client')
    expect(closings(client)).toEqual(restarted(session.sessionId))
    await eventually(() => server.status(session)).toBe('Terminated')
  })

  test('does not take the reason away from a session that has another', async () => {
    const server = setUp()
    const node = await server.node()
    const [session, other] = [await running(server, node), await running(server, node)]
    server.clock.advance(1000)
    const control = await server.online(node)
    control.receive(result(session, 'Failed', 'the cause'), agentSessions())
    await eventually(() => server.status(session)).toBe('Terminating')
    control.receive(result(other))
    await eventually(() => control.types.filter(type => type === 'agent_task_acknowledge')).toHaveLength(2)
    server.attach((await server.session(session)) ?? session, 'client')
    await eventually(() => server.session(session)).toMatchObject({ status: 'Failed', details: 'the cause' })
  })
})

describe('the status of a session', () => {
  test('says that its client is away, and that it is back; a blink of the network is not worth a word', async () => {
    const server = setUp()
    const node = await server.node()
    const session = await server.start(node)
    const client = server.attach(session, 'client')
    server.attach(session, 'agent')
    await eventually(() => server.status(session)).toBe('Connected')
    const told: unknown[] = []
    server.bus.subscribe(sessionSubject(scope, session.sessionId), message => void told.push(message))

    client.lose()
    server.clock.advance(DISCONNECTED_AFTER - 1)
    const again = server.attach(session, 'client')
    server.clock.advance(MINUTE)
    expect(await server.status(session)).toBe('Connected')
    expect(told).toEqual([])

    again.lose()
    server.clock.advance(DISCONNECTED_AFTER)
    await eventually(() => server.status(session)).toBe('Disconnected')
    server.attach(session, 'client')
    await eventually(() => server.status(session)).toBe('Connected')
    await eventually(() => told).toEqual([
      { type: 'status', status: 'Disconnected' },
      { type: 'status', status: 'Connected' },
    ])
  })

  test('is set right by the next life of the server', async () => {
    const first = setUp()
    const now = first.clock.now()
    const token = { clientTokenHash: 'hash', clientTokenExpiresAt: now + MINUTE }
    const session = await first.start(await first.node(), token)
    await first.store.sessions.useClientToken(scope, session.sessionId, 'hash', now)
    first.attach(session, 'client')
    first.attach(session, 'agent')
    await eventually(() => first.status(session)).toBe('Connected')
    first.gateway.close()

    const second = setUp()
    await second.gateway.restore()
    second.clock.advance(DISCONNECTED_AFTER)
    await eventually(() => second.status(session)).toBe('Disconnected')
    second.gateway.close()

    const third = setUp()
    await third.gateway.restore()
    third.attach((await third.session(session)) ?? session, 'client')
    await eventually(() => third.status(session)).toBe('Connected')
  })

  test('that it ended with stays, whoever leaves then', async () => {
    const server = setUp()
    const session = await server.start(await server.node())
    const client = server.attach(session, 'client')
    server.attach(session, 'agent')
    client.lose()
    await server.terminate(session)
    await eventually(() => server.gateway.sessionCount).toBe(0)
    server.clock.advance(MINUTE)
    expect(await server.status(session)).toBe('Terminated')
    expect(server.clock.pending).toBe(0)
  })
})
