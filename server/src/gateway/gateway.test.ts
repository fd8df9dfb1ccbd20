import { describe, expect, test } from 'vitest'
import { testScope as scope } from '../store/testing.ts'
import { RECONCILE_INTERVAL } from './gateway.ts'
import { closings, eventually, gateways } from './gateway-testing.ts'
import { output } from './testing.ts'

const MINUTE = 60_000

const setUp = gateways()

describe('after a restart', () => {
  test('sessions that ran go on, however old they are', async () => {
    const before = setUp()
    const node = await before.node()
    const session = await before.start(node)
    before.attach(session, 'agent')
    await eventually(() => before.status(session)).toBe('Connected')
    await before.store.sessions.setAgreed(scope, session.sessionId, { payload: 1, window: 1 })
    before.gateway.close()
    before.clock.advance(10 * MINUTE)
    const after = setUp(before.clock)
    await after.gateway.restore()
    expect(await after.isOnline(node)).not.toBe(true)
    after.clock.advance(4 * MINUTE)
    await eventually(() => after.status(session)).toBe('Connected')
    const [client, agent] = [after.attach(session, 'client'), after.attach(session, 'agent')]
    agent.receive(output(1234))
    expect(client.types).toEqual(['start_publication', 'output_stream_data'])
    await after.terminate(session)
    after.gateway.close()
  })

  test('sessions that were ending have ended', async () => {
    const before = setUp()
    const node = await before.node()
    const session = await before.start(node)
    await before.store.sessions.setStatus(scope, session.sessionId, 'Terminating', {
      now: 1,
      details: 'over',
    })
    const after = setUp()
    await after.gateway.restore()
    expect(await after.session(session)).toMatchObject({ status: 'Terminated', details: 'over' })
    after.gateway.close()
  })
})

describe('what the bus did not bring', () => {
  test('is found in the store: sessions to wait for, and sessions that ended', async () => {
    const server = setUp()
    await server.gateway.restore()
    const node = await server.node()
    const forgotten = await server.start(node, {}, false)
    const ended = await server.start(node, {}, false)
    const client = server.attach(ended, 'client')
    server.attach(ended, 'agent')
    await eventually(() => server.status(ended)).toBe('Connected')
    await server.terminate(ended, false)
    expect(closings(client)).toEqual([])
    server.clock.advance(RECONCILE_INTERVAL)
    await eventually(() => closings(client)).toHaveLength(1)
    await eventually(() => {
      server.clock.advance(1000)
      return server.status(forgotten)
    }).toBe('Failed')
    server.gateway.close()
  })
})

describe('a server that stops', () => {
  test('closes everything, ends no session, and leaves no timer', async () => {
    const server = setUp()
    await server.gateway.restore()
    const node = await server.node()
    const control = await server.online(node)
    const gone = await server.node()
    ;(await server.online(gone)).lose()
    const session = await server.start(node)
    const [client, agent] = [server.attach(session, 'client'), server.attach(session, 'agent')]
    await eventually(() => server.status(session)).toBe('Connected')
    server.gateway.close()
    expect([client, agent, control].map(({ closedWith }) => closedWith?.code)).toEqual([1000, 1000, 1001])
    expect(closings(client)).toEqual([])
    expect(await server.status(session)).toBe('Connected')
    expect(server.clock.pending).toBe(0)
    expect(server.gateway.sessionCount + server.gateway.nodeCount).toBe(0)
    expect((await server.online(node)).closedWith?.code).toBe(1001)
    expect(server.attach(session, 'client').closedWith?.code).toBe(1001)
    expect(server.clock.pending).toBe(0)
    await server.terminate(session)
  })
})
