import { describe, expect, test } from 'vitest'
import { nodeSubject } from '../bus/bus.ts'
import type { Session } from '../store/sessions.ts'
import { testScope as scope, temporaryStore } from '../store/testing.ts'
import { closings, eventually, GatewayForTest, gateways, timing } from './gateway-testing.ts'
import { FakeConnection } from './testing.ts'

const MINUTE = 60_000

const setUp = gateways()

describe('the presence of a node', () => {
  test('begins with its control channel, and ends a moment after it', async () => {
    const server = setUp()
    const node = await server.node()
    const connection = await server.online(node)
    expect(await server.isOnline(node)).toBe(true)
    expect(server.gateway.nodeCount).toBe(1)
    connection.lose()
    expect(server.gateway.nodeCount).toBe(0)
    server.clock.advance(timing.presenceGraceMs - 1)
    expect(await server.isOnline(node)).toBe(true)
    server.clock.advance(1)
    await eventually(() => server.isOnline(node)).toBe(false)
    expect(server.clock.pending).toBe(0)
  })

  test('is not ended by a blink, nor by the old channel of a node that has a new one', async () => {
    const server = setUp()
    const node = await server.node()
    const first = await server.online(node)
    const second = await server.online(node)
    expect(first.closedWith).toMatchObject({ code: 1000 })
    second.lose()
    await server.online(node)
    server.clock.advance(MINUTE)
    await server.store.nodes.list(scope, { limit: 1 })
    expect(await server.isOnline(node)).toBe(true)
    expect(server.gateway.nodeCount).toBe(1)
    expect(server.log.lines.map(({ msg }) => msg)).not.toContain('node offline')
  })

  test('begins also after the clock of the server was set back', async () => {
    const server = setUp()
    const node = await server.node()
    const first = await server.online(node)
    server.clock.setBack(24 * 60 * MINUTE)
    const restarted = setUp(server.clock)
    const second = await restarted.online(node)
    expect(second.closedWith).toBeUndefined()
    expect(await restarted.isOnline(node)).toBe(true)
    first.lose()
    second.lose()
    restarted.clock.advance(timing.presenceGraceMs)
    await eventually(() => restarted.isOnline(node)).toBe(false)
  })

  test('does not begin for a node that is not registered, or not any more', async () => {
    const server = setUp()
    const node = await server.node()
    await server.store.nodes.deregister(scope, node, 1)
    for (const id of [node, 'mi-00000000000000000']) {
      const connection = await server.online(id)
      expect(connection.closedWith).toEqual({ code: 1008, reason: 'this node is not registered' })
    }
    expect(server.gateway.nodeCount).toBe(0)
  })

  test('does not begin with a connection that is dead already', async () => {
    const server = setUp()
    const node = await server.node()
    const dead = new FakeConnection()
    dead.lose()
    await server.gateway.attachNode(node, dead)
    expect(server.gateway.nodeCount).toBe(0)
    server.clock.advance(timing.presenceGraceMs)
    await eventually(() => server.isOnline(node)).toBe(false)
  })

  test('that cannot be stored is refused, so that the node tries again', async () => {
    const broken = await temporaryStore()
    const server = new GatewayForTest(broken.store)
    const node = await server.node()
    await broken.dispose()
    const connection = new FakeConnection()
    await expect(server.gateway.attachNode(node, connection)).rejects.toThrow()
    expect(connection.closedWith?.code).toBe(1011)
    expect(server.gateway.nodeCount).toBe(0)
    server.gateway.close()
  })
})

describe('a node that is deregistered', () => {
  test('loses its channel and its sessions, and is told of each', async () => {
    const server = setUp()
    const node = await server.node()
    const control = await server.online(node)
    const sessions = [await server.start(node), await server.start(node)]
    await server.clock.play(100)
    const clients = sessions.map(session => server.attach(session, 'client'))
    await server.store.nodes.deregister(scope, node, 1)
    await server.bus.publish(nodeSubject(scope, node), { type: 'deregistered' })
    await eventually(async () => {
      await server.clock.play(50)
      return control.closedWith
    }).toEqual({ code: 1008, reason: 'this node was deregistered' })
    expect(
      closings(control)
        .map(({ SessionId }) => SessionId)
        .sort(),
    ).toEqual(sessions.map(({ sessionId }) => sessionId).sort())
    for (const [i, client] of clients.entries()) {
      await eventually(() => closings(client)[0]?.Output).toBe(`${node} was deregistered.`)
      expect(await server.status(sessions[i] as Session)).toBe('Terminated')
    }
  })

  test('loses its sessions also while its control channel is away', async () => {
    const server = setUp()
    const node = await server.node()
    const session = await server.start(node)
    const [client, agent] = [server.attach(session, 'client'), server.attach(session, 'agent')]
    await server.bus.publish(nodeSubject(scope, node), { type: 'deregistered' })
    await eventually(() => server.status(session)).toBe('Terminated')
    await eventually(() => [closings(client).length, closings(agent).length]).toEqual([1, 1])
  })

  test('while the server was down has no sessions when it is up again', async () => {
    const server = setUp()
    const node = await server.node()
    const session = await server.start(node)
    await server.store.nodes.deregister(scope, node, 1)
    await setUp().gateway.restore()
    expect(await server.session(session)).toMatchObject({
      status: 'Terminated',
      details: `${node} was deregistered.`,
    })
  })
})
