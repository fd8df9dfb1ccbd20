import { ManualClock } from '@sallyport/protocol/manual-clock'
import { describe, expect, test } from 'vitest'
import { accessSubject } from '../bus/bus.ts'
import { testScope as scope } from '../store/testing.ts'
import { RECONCILE_INTERVAL } from './gateway.ts'
import { closings, eventually, type GatewayForTest, gateways } from './gateway-testing.ts'
import { SOCKET_LIMIT } from './session-memory.ts'
import { input, output } from './testing.ts'

const REVOKED = 'This session is no longer allowed: your rights, its document or its node have changed.'
const MINUTE = 60_000
/** Within which many changes are looked at as one, and more (bus/passes.ts). */
const GATHERING = 500

const setUp = gateways()
async function changed(server: GatewayForTest): Promise<void> {
  await server.bus.publish(accessSubject(scope), { type: 'changed' })
  // Events are delivered before the next turn of the loop.
  await new Promise(setImmediate)
  server.clock.advance(GATHERING)
}

describe('a change of what people are allowed', () => {
  test('ends what is not allowed any more, at both ends and at the node, and nothing else', async () => {
    const server = setUp()
    const node = await server.node()
    const control = await server.online(node)
    const [lost, kept] = [await server.start(node), await server.start(node)]
    const ends = [lost, kept].map(session => ({
      client: server.attach(session, 'client'),
      agent: server.attach(session, 'agent'),
    }))
    server.denial = id => (id === lost.sessionId ? 'policy p was detached' : undefined)
    await changed(server)
    await eventually(() => ends.map(({ client }) => closings(client).length)).toEqual([1, 0])
    expect(closings(ends[0]?.client as never)).toEqual([{ SessionId: lost.sessionId, Output: REVOKED }])
    expect(closings(ends[0]?.agent as never)).toHaveLength(1)
    expect(await server.session(lost)).toMatchObject({
      status: 'Terminated',
      details: 'Not allowed any more: policy p was detached',
    })
    await eventually(async () => {
      await server.clock.play(50)
      return closings(control).map(({ SessionId }) => SessionId)
    }).toEqual([lost.sessionId])
    ends[1]?.agent.receive(output(0, 'goes on'))
    expect(ends[1]?.client.types.at(-1)).toBe('output_stream_data')
  })

  test('lets nothing through that was under way or waited for one of the ends', async () => {
    const server = setUp()
    const session = await server.start(await server.node())
    const [client, agent] = [server.attach(session, 'client'), server.attach(session, 'agent')]
    // Neither network takes anything more for now.
    client.bufferedBytes = SOCKET_LIMIT
    agent.bufferedBytes = SOCKET_LIMIT
    agent.receive(output(0, 'secret'))
    client.receive(input(0, 'rm -r /'))
    server.denial = () => 'gone'
    await changed(server)
    await eventually(() => server.status(session)).toBe('Terminated')
    agent.receive(output(1, 'more'))
    client.drainTo(0)
    agent.drainTo(0)
    await eventually(() => closings(client)).toHaveLength(1)
    expect(client.types).not.toContain('output_stream_data')
    expect(agent.types).not.toContain('input_stream_data')
  })

  test('ends a session that has not begun at its node yet', async () => {
    const server = setUp()
    const node = await server.node()
    const session = await server.start(node)
    server.denial = id => (id === session.sessionId ? 'user alice was deleted' : undefined)
    await changed(server)
    await eventually(() => server.status(session)).toBe('Terminated')
    expect(await server.tasks(node), 'and its node is not told to start it').toEqual(['end-session'])
  })

  test('that is lost on its way is found out with the next comparison, as is what time brings', async () => {
    const server = setUp()
    const session = await server.start(await server.node())
    await server.gateway.restore()
    const [client] = [server.attach(session, 'client'), server.attach(session, 'agent')]
    server.denial = id => (id === session.sessionId ? 'after hours' : undefined)
    server.clock.advance(RECONCILE_INTERVAL)
    await eventually(() => {
      server.clock.advance(GATHERING)
      return closings(client)
    }).toEqual([{ SessionId: session.sessionId, Output: REVOKED }])
    server.gateway.close()
  })

  test('that cannot be decided about stops nobody else from being decided about', async () => {
    const server = setUp()
    const node = await server.node()
    const [broken, lost] = [await server.start(node), await server.start(node)]
    server.denial = id => {
      if (id === broken.sessionId) throw new Error('the store is slow')
      return id === lost.sessionId ? 'gone' : undefined
    }
    await changed(server)
    await eventually(() => server.status(lost)).toBe('Terminated')
    await eventually(() => server.log.lines.map(({ msg }) => msg)).toContain(
      'a session could not be decided again',
    )
    expect(await server.status(broken)).toBe('Connecting')
  })

  test('cuts a session off also where its end cannot be stored', async () => {
    const server = setUp()
    const session = await server.start(await server.node())
    const client = server.attach(session, 'client')
    const { end } = server.store.sessions
    server.store.sessions.end = () => Promise.reject(new Error('the disk is full'))
    try {
      server.denial = () => 'gone'
      await changed(server)
      await eventually(() => closings(client)).toEqual([{ SessionId: session.sessionId, Output: REVOKED }])
    } finally {
      server.store.sessions.end = end
    }
  })
})

test('many sessions are decided about without keeping everything else waiting', async () => {
  const server = setUp()
  const node = await server.node()
  const ids = Array.from({ length: 400 }, (_, i) => `many-${i}`)
  const person = { ownerArn: 'arn', ownerUserId: 'AIDA' }
  const document = { documentName: 'd', documentVersion: '1', documentContent: {}, parameters: {} }
  const session = { nodeId: node, startedAt: server.clock.now(), ...person, ...document }
  await Promise.all(ids.map(sessionId => server.store.sessions.insert(scope, { ...session, sessionId })))
  try {
    await changed(server)
    let [before, most] = [0, 0]
    while (!ids.every(id => server.decided.includes(id))) {
      await new Promise(resolve => setImmediate(resolve))
      most = Math.max(most, server.decided.length - before)
      before = server.decided.length
    }
    expect(most).toBeLessThanOrEqual(50)
    expect(new Set(server.decided).size, 'each of them once').toBe(server.decided.length)
  } finally {
    await server.store.db.deleteFrom('sessions').where('sessionId', 'in', ids).execute()
  }
})

describe('credentials that expire', () => {
  const started = (expiresAt: number) => ({
    authority: {
      person: { kind: 'role', temporary: { accessKeyId: 'ASIA', issuedAt: 0, expiresAt } },
      facts: {},
      documentNamed: false,
    },
  })

  test('end the session where the server is told so, with a reason of its own', async () => {
    const server = setUp(new ManualClock(), 'end')
    const session = await server.start(await server.node(), started(server.clock.now() + 10 * MINUTE))
    const [client] = [server.attach(session, 'client'), server.attach(session, 'agent')]
    server.clock.advance(10 * MINUTE - 1000)
    expect(closings(client)).toEqual([])
    server.clock.advance(1000)
    await eventually(() => closings(client)).toEqual([
      {
        SessionId: session.sessionId,
        Output: 'The credentials that this session was started with have expired.',
      },
    ])
    expect(await server.session(session)).toMatchObject({ details: 'Credentials expired' })
  })

  test('do so after a restart of the server, too', async () => {
    const clock = new ManualClock()
    const first = setUp(clock, 'end')
    const session = await first.start(await first.node(), started(clock.now() + 10 * MINUTE))
    first.attach(session, 'agent')
    await eventually(() => first.status(session)).toBe('Connected')
    first.gateway.close()
    clock.advance(9 * MINUTE)
    const second = setUp(clock, 'end')
    await second.gateway.restore()
    clock.advance(MINUTE)
    await eventually(() => second.session(session)).toMatchObject({ details: 'Credentials expired' })
    second.gateway.close()
  })

  test('end nothing otherwise', async () => {
    const server = setUp()
    const session = await server.start(await server.node(), started(server.clock.now() + MINUTE))
    const [client] = [server.attach(session, 'client'), server.attach(session, 'agent')]
    server.clock.advance(19 * MINUTE)
    expect(closings(client)).toEqual([])
    await server.terminate(session)
  })
})
