import { describe, expect, test } from 'vitest'
import { accessSubject } from '../bus/bus.ts'
import { testScope as scope } from '../store/testing.ts'
import { RECONCILE_INTERVAL } from './gateway.ts'
import { eventually, type GatewayForTest, gateways } from './gateway-testing.ts'
import type { FakeConnection } from './testing.ts'

const setUp = gateways()
const WHY = 'its role R lacks ssmmessages:OpenControlChannel'

/** Somebody's rights have changed, and a moment has passed. */
async function changed(server: GatewayForTest): Promise<void> {
  await server.bus.publish(accessSubject(scope), { type: 'changed' })
  await new Promise(setImmediate)
  server.clock.advance(250)
}
const closed = (connection: FakeConnection) => eventually(() => connection.closedWith)

describe('a node that lacks something', () => {
  test('is not let in, and is told what', async () => {
    const server = setUp()
    const node = await server.node()
    server.lacking.set(node, WHY)
    const connection = await server.online(node)
    expect(connection.closedWith).toEqual({ code: 1008, reason: `may not be online: ${WHY}` })
    expect(await server.isOnline(node)).toBe(false)
    server.lacking.clear()
    expect((await server.online(node)).closedWith).toBeUndefined()
    expect(await server.isOnline(node)).toBe(true)
  })

  test('is offline at once when it loses it, the others stay', async () => {
    const server = setUp()
    const [one, other] = [await server.node(), await server.node()]
    const [connection, stays] = [await server.online(one), await server.online(other)]
    server.lacking.set(one, WHY)
    await changed(server)
    await closed(connection).toEqual({ code: 1008, reason: `may not be online: ${WHY}` })
    server.clock.advance(0)
    await eventually(() => server.isOnline(one)).toBe(false)
    expect(server.gateway.nodeCount).toBe(1)
    expect(stays.closedWith).toBeUndefined()
    expect(server.log.lines.map(({ msg }) => msg)).toContain('node refused')
  })

  test('is found by and by where no event told of it: a condition may be on the time of day', async () => {
    const server = setUp()
    await server.gateway.restore()
    const node = await server.node()
    const connection = await server.online(node)
    server.lacking.set(node, WHY)
    server.clock.advance(RECONCILE_INTERVAL)
    server.clock.advance(250)
    await closed(connection).toMatchObject({ code: 1008 })
  })

  test('does not take the channel with it that has just replaced its own', async () => {
    const server = setUp()
    const node = await server.node()
    await server.online(node)
    server.lacking.set(node, WHY)
    await changed(server)
    server.lacking.clear()
    const second = await server.online(node)
    await eventually(() => server.gateway.nodeCount).toBe(1)
    expect(second.closedWith).toBeUndefined()
    server.clock.advance(60_000)
    expect(await server.isOnline(node)).toBe(true)
  })
})
