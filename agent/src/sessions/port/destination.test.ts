import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { AllowedDestinations } from './allowed-destinations.ts'
import { connectToFirst } from './connect.ts'
import { Destination, type DestinationOptions, type Network } from './destination.ts'
import { DestinationRules } from './destination-rules.ts'
import { LOOPBACK } from './host.ts'

const cleanups: Array<() => void> = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

async function listen(host: string, port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer(socket => socket.on('error', () => {}).resume())
  cleanups.push(() => server.close())
  server.listen(port, host)
  await once(server, 'listening')
  return { server, port: (server.address() as AddressInfo).port }
}

const never = new AbortController().signal
type Options = Partial<DestinationOptions> & Network
const destination = ({ resolve, ...options }: Options) =>
  new Destination({
    host: '',
    port: 80,
    rules: new DestinationRules(),
    network: resolve && { resolve },
    ...options,
  })
const reasonOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: Error) => error.message,
  )
const addressesOf = async (options: Options) =>
  (await destination(options).addresses()).map(({ text }) => text)

describe('a host', () => {
  test.each(['', 'localhost', 'LocalHost', 'localhost.'])('%j is the node itself', async host => {
    expect(await addressesOf({ host, resolve: () => Promise.reject(new Error('asked')) })).toEqual([
      '::1',
      '127.0.0.1',
    ])
  })

  test.each([
    '169.254.169.254',
    '2852039166',
    '0xa9.0xfe.43518',
    '[::ffff:a9fe:a9fe]',
    '１６９.254。169.254',
  ])('that is denied in any spelling, such as %s, is no question for a name server', async host => {
    const resolve = vi.fn()
    const message = await reasonOf(destination({ host, resolve }).addresses())
    expect(message).toBe(
      `Forwarding to IP address 169.254.169.254 is forbidden. The destination rules of the agent on the node deny ${host}:80.`,
    )
    expect(resolve).not.toHaveBeenCalled()
  })

  test.each(['a b', 'a/b', 'user@host', '-\u0000', '1.2.3.999', 'x'.repeat(300), '..'])(
    'cannot be %j',
    host => {
      expect(() => destination({ host })).toThrow(RangeError)
    },
  )

  test('is named as it was asked for', () => {
    expect(destination({ host: 'db.internal', port: 5432 }).label).toBe('db.internal:5432')
    expect(destination({ host: 'fd00::1' }).label).toBe('[fd00::1]:80')
    expect(destination({}).label).toBe('localhost:80')
  })
})

describe('a name', () => {
  test('that stands for a denied address only is refused', async () => {
    const resolve = async () => ['169.254.169.254', 'fd00:ec2::254']
    expect(await reasonOf(destination({ host: 'metadata.evil.org', resolve }).addresses())).toBe(
      'Forwarding to IP address 169.254.169.254 is forbidden. The destination rules of the agent on the node deny metadata.evil.org:80.',
    )
  })

  test('keeps those of its addresses that are not denied, in their order', async () => {
    const resolve = async () => ['10.0.0.2', '::ffff:169.254.169.254', '64:ff9b::a9fe:a9fe', '10.0.0.1']
    expect(await addressesOf({ host: 'mixed.org', resolve })).toEqual(['10.0.0.2', '10.0.0.1'])
  })

  test('may stand for the node itself', async () => {
    expect(await addressesOf({ host: 'me.org', resolve: async () => ['127.0.0.1', '0.0.0.0'] })).toEqual([
      '127.0.0.1',
      '127.0.0.1',
    ])
  })

  test('is asked for once for each connection, and connected to at the address that was checked', async () => {
    const { port } = await listen('127.0.0.1')
    const answers = ['127.0.0.1', '169.254.169.254']
    const resolve = vi.fn(async () => [answers.shift() ?? ''])
    const rebinding = destination({ host: 'rebind.evil.org', port, resolve })
    const socket = await rebinding.connect(never)
    expect(socket.remoteAddress).toBe('127.0.0.1')
    expect(resolve).toHaveBeenCalledTimes(1)
    socket.destroy()
    expect(await reasonOf(rebinding.connect(never))).toContain(
      'Forwarding to IP address 169.254.169.254 is forbidden',
    )
  })

  test('is asked for once by connections of the same moment', async () => {
    const { port } = await listen('127.0.0.1')
    const resolve = vi.fn(async () => ['127.0.0.1'])
    const shared = destination({ host: 'db.internal', port, resolve })
    const sockets = await Promise.all(
      Array.from({ length: 20 }, () => shared.connect(new AbortController().signal)),
    )
    expect(resolve).toHaveBeenCalledTimes(1)
    for (const socket of sockets) socket.destroy()
  })

  test('that nobody knows is an error of the connection, in words', async () => {
    const message = await reasonOf(destination({ host: 'no-such-host.invalid' }).connect(never))
    expect(message).toMatch(/^no-such-host\.invalid:80: (no host of this name is known|temporary failure)$/)
    const resolve = async () => []
    expect(await reasonOf(destination({ host: 'empty.org', resolve }).connect(never))).toBe(
      'empty.org:80: the name has no address',
    )
  })
})

describe('a document that restricts', () => {
  const allowed = new AllowedDestinations(['db.internal:5432', '10.0.0.0/8:80'])

  test('names is not asked about others', async () => {
    const resolve = vi.fn()
    const only = new AllowedDestinations(['db.internal:5432'])
    expect(
      await reasonOf(destination({ host: 'evil.org', port: 5432, allowed: only, resolve }).addresses()),
    ).toBe(
      'Forwarding to IP address evil.org is forbidden. The session document does not allow evil.org:5432.',
    )
    expect(resolve).not.toHaveBeenCalled()
  })

  test('addresses has the others left out', async () => {
    const resolve = async () => ['192.0.2.1', '10.0.0.9']
    expect(await addressesOf({ host: 'x.org', allowed, resolve })).toEqual(['10.0.0.9'])
    expect(
      await reasonOf(destination({ host: 'x.org', allowed, resolve: async () => ['192.0.2.1'] }).addresses()),
    ).toBe('Forwarding to IP address 192.0.2.1 is forbidden. The session document does not allow x.org:80.')
  })

  test('never allows what the node denies', async () => {
    const everything = new AllowedDestinations(['*'])
    expect(
      await reasonOf(destination({ host: '169.254.169.254', allowed: everything }).addresses()),
    ).toContain('rules')
  })

  test('reaches the loopback only if it is in the list', async () => {
    expect(await reasonOf(destination({ allowed }).addresses())).toContain('does not allow localhost:80')
    expect(await addressesOf({ allowed: new AllowedDestinations(['127.0.0.1:80']) })).toEqual(['127.0.0.1'])
  })
})

describe('a connection', () => {
  test('to the node itself finds a server on either of its addresses', async () => {
    for (const host of ['::1', '127.0.0.1']) {
      const { port } = await listen(host)
      const socket = await destination({ port }).connect(never)
      expect(socket.remoteAddress).toBe(host)
      socket.destroy()
    }
  })

  test('goes first to the address that answered the last time', async () => {
    const { port } = await listen('127.0.0.1')
    const orders: string[][] = []
    const connect: typeof connectToFirst = (addresses, ...rest) => {
      orders.push(addresses.map(({ text }) => text))
      return connectToFirst(addresses, ...rest)
    }
    const target = destination({ host: 'localhost', port, network: { connect } })
    for (let i = 0; i < 2; i++) (await target.connect(never)).destroy()
    expect(orders).toEqual([
      ['::1', '127.0.0.1'],
      ['127.0.0.1', '::1'],
    ])
  })

  test('that is refused says so, with host and port', async () => {
    const { server, port } = await listen('127.0.0.1')
    server.close()
    await once(server, 'close')
    expect(await reasonOf(destination({ port }).connect(never))).toBe(`localhost:${port}: connection refused`)
  })

  test('to a name goes on to the next address when one does not answer', async () => {
    const { port } = await listen('127.0.0.1')
    // TEST-NET-1 (RFC 5737): no answer, or none that is a connection.
    const resolve = async () => ['192.0.2.1', '127.0.0.1']
    const socket = await destination({ host: 'half-dead.org', port, resolve }).connect(never)
    expect(socket.remoteAddress).toBe('127.0.0.1')
    socket.destroy()
  })

  test('can be given up while the name is looked up, and while it is opened', async () => {
    const dial = new AbortController()
    const lookup = destination({ host: 'slow.org', resolve: () => new Promise(() => {}) }).connect(
      dial.signal,
    )
    dial.abort(new Error('given up'))
    expect(await reasonOf(lookup)).toContain('given up')
    const gone = new AbortController()
    const opening = connectToFirst(LOOPBACK, 9, gone.signal)
    gone.abort(new Error('given up'))
    expect(await reasonOf(opening)).toBe('given up')
    expect(await reasonOf(connectToFirst(LOOPBACK, 9, gone.signal))).toBe('given up')
  })

  test('that is given up is not left open', async () => {
    const { server, port } = await listen('127.0.0.1')
    const dial = new AbortController()
    const opening = connectToFirst(LOOPBACK.slice(1), port, dial.signal)
    // The system connects at once, but nobody here has heard of it yet.
    await new Promise(process.nextTick)
    dial.abort(new Error('given up'))
    expect(await reasonOf(opening)).toBe('given up')
    await once(server, 'connection')
    // A server has closed when its last connection has.
    server.close()
    await once(server, 'close')
  })

  test('takes no longer than its time-out, name and all', async () => {
    vi.useFakeTimers()
    try {
      const opening = reasonOf(
        destination({ host: 'slow.org', resolve: () => new Promise(() => {}) }).connect(never),
      )
      await vi.advanceTimersByTimeAsync(30_000)
      expect(await opening).toBe('slow.org:80: no answer within 30 s')
    } finally {
      vi.useRealTimers()
    }
  })
})
