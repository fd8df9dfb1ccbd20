import { describe, expect, test } from 'vitest'
import { portScenes } from './port-scene.ts'

const scenes = portScenes()
const open = (properties: unknown) => scenes.open(properties as object)

describe('a document that cannot be served fails with what is wrong in it', () => {
  test.each([
    [{ portNumber: '0' }, 'portNumber of the session document is "0", not a port from 1 to 65535.'],
    [{ portNumber: '65536' }, 'not a port'],
    [{ portNumber: '22; rm -rf /' }, 'not a port'],
    [{ portNumber: ['22'] }, 'not a port'],
    [{ portNumber: 22.5 }, 'not a port'],
    [{}, 'not a port'],
    [null, 'properties of the port session document is not a JSON object'],
    [{ portNumber: '22', type: 'RemotePortForwarding' }, "no port sessions of type 'RemotePortForwarding'"],
    [{ portNumber: '22', host: 'a b' }, "'a b' is neither a host name nor an address"],
    [{ portNumber: '22', host: ['db'] }, 'host of properties'],
    [{ portNumber: '22', allowedDestinations: 'db:22' }, 'is not a list of strings'],
    [{ portNumber: '22', allowedDestinations: ['db:x'] }, "'db:x' in allowedDestinations"],
  ])('%j', (properties, message) => {
    expect(() => open(properties)).toThrow(message)
  })
})

test('the client gets the properties that are for it, as they are', async () => {
  const properties = {
    portNumber: '1',
    localPortNumber: '15432',
    type: 'LocalPortForwarding',
    localConnectionType: 'unix',
    localUnixSocket: '/tmp/s',
    host: 'localhost',
  }
  const { portNumber, ...others } = properties
  // Spelled as agents and plugins take it too.
  const { session } = open({
    PortNumber: portNumber,
    ...others,
    allowedDestinations: ['localhost:1'],
    remark: 'for the office',
  })
  expect(session.sessionType).toBe('Port')
  expect(session.properties).toEqual(properties)
  await session.stop()
})

test.each([
  [{ host: '2852039166' }, 'Forwarding to IP address 169.254.169.254 is forbidden.'],
  [{ host: 'db.org', allowedDestinations: ['db.org:1'] }, 'Forwarding to IP address db.org is forbidden.'],
  [{ allowedDestinations: [] }, 'Forwarding to IP address localhost is forbidden.'],
])('what is forbidden for certain is refused before the client has a session: %j', (properties, reason) => {
  const { session } = open({ portNumber: '22', type: 'LocalPortForwarding', ...properties })
  expect(() => session.refuseForbidden()).toThrow(reason)
})

test('what only a name server could tell is not', () => {
  const { session } = open({ portNumber: '22', host: 'db.org', type: 'LocalPortForwarding' })
  session.refuseForbidden()
})

test('a document that allows other destinations only fails the session', async () => {
  const { ended } = open({ portNumber: '22', type: 'LocalPortForwarding', allowedDestinations: [] })
  expect(await ended).toEqual({
    status: 'Failed',
    output:
      'Forwarding to IP address localhost is forbidden. The session document does not allow localhost:22.',
    unheard: false,
  })
})
