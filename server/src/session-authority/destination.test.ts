import { describe, expect, test } from 'vitest'
import { amazonSessionDocuments } from '../documents/session-documents.ts'
import { destinationOf } from './destination.ts'

const document = (properties: object, sessionType = 'Port') => ({
  schemaVersion: '1.0',
  sessionType,
  properties,
})
const hostOf = (host: string) => destinationOf(document({ portNumber: '80', host }), {})?.host

describe('the destination of a session', () => {
  test.each([
    ['AWS-StartPortForwardingSession', { portNumber: '5432' }, { host: 'localhost', port: 5432 }],
    [
      'AWS-StartPortForwardingSessionToRemoteHost',
      { portNumber: '5432', host: 'DB.internal' },
      { given: 'DB.internal', host: 'db.internal', port: 5432 },
    ],
    ['AWS-StartPortForwardingSessionToSocket', { portNumber: '22' }, { host: 'localhost', port: 22 }],
    ['AWS-StartSSHSession', { portNumber: '22' }, { host: 'localhost', port: 22 }],
  ])('by %s is what its parameters say', (name, parameters, wanted) => {
    const content = amazonSessionDocuments[name]
    if (content === undefined) throw new Error(name)
    expect(destinationOf(content, parameters)).toMatchObject(wanted)
  })

  test('is there for port sessions alone', () => {
    expect(destinationOf(document({ portNumber: '22' }, 'Standard_Stream'), {})).toBeUndefined()
    expect(destinationOf({ schemaVersion: '1.0', sessionType: 'Standard_Stream' }, {})).toBeUndefined()
  })

  test('may be made of several parameters, of which none is read twice', () => {
    const properties = { portNumber: '{{ a }}{{ b }}', host: '{{ host }}.internal' }
    expect(destinationOf(document(properties), { a: '54', b: '32', host: 'db' })).toMatchObject({
      host: 'db.internal',
      port: 5432,
    })
    expect(() => destinationOf(document(properties), { a: '54', b: '32', host: '{{ a }}' })).toThrow(
      'is not a host name or an address',
    )
  })

  test('has one port, however many zeros stand before it', () => {
    expect(destinationOf(document({ portNumber: '00022' }), {})?.port).toBe(22)
  })

  test.each(['ssh', '', '0', '65536', '22 ', ' 22', '+22', '0x16', '22,80', '2２', '1e1'])(
    'is refused with %j for a port, which some agent might take for another one',
    portNumber => {
      expect(() => destinationOf(document({ portNumber }), {})).toThrow('is not a port from 1 to 65535')
    },
  )

  test.each(['a b', 'db.internal\n', '\u0000', 'x'.repeat(256), '{{ unknown }}'])(
    'is refused with %j for a host',
    host => {
      expect(() => hostOf(host)).toThrow('is not a host name or an address')
    },
  )
})

describe('the host that policies see', () => {
  test.each([
    'localhost',
    '',
    'LocalHost.',
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '0',
    '::1',
    '0:0:0:0:0:0:0:1',
    '[::1]',
    '::',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '１２７.0.0.1',
  ])('%j is the node itself', host => {
    expect(hostOf(host)).toBe('localhost')
  })

  test.each([
    ['DB.Internal.', 'db.internal'],
    ['10.0.5', '10.0.0.5'],
    ['0x0A000005', '10.0.0.5'],
    ['::FFFF:10.0.0.5', '10.0.0.5'],
    ['FD00:0:0::0001', 'fd00::1'],
    ['ｄｂ.internal', 'db.internal'],
    ['my_db', 'my_db'],
  ])('%j is %j', (host, wanted) => {
    expect(hostOf(host)).toBe(wanted)
  })

  test.each(['db.internal:80', 'user@db.internal', 'db.internal/x', 'db%2einternal'])(
    '%j is no spelling of another host',
    host => {
      expect(hostOf(host)).toBe(host)
    },
  )
})
