import { once } from 'node:events'
import type { Socket } from 'node:net'
import { PayloadType } from '@sallyport/protocol/message-types'
import { SmuxSession } from '@sallyport/protocol/smux/session'
import type { SmuxStream } from '@sallyport/protocol/smux/stream'
import { expect, test } from 'vitest'
import {
  closedPort,
  heldDials,
  pattern,
  portScenes,
  readAll,
  readSome,
  type SceneOptions,
} from './port-scene.ts'

// Our own client: smux version 2.

const { open, target } = portScenes()
const KIB = 1024
const MIB = 1024 * KIB
const echo = (socket: Socket) => socket.pipe(socket)

/** A client with its streams; each collects what comes. */
function openOwn(properties: object, options: SceneOptions = {}) {
  const scene = open(
    { type: 'LocalPortForwarding', ...properties },
    {
      ...options,
      ownClient: true,
      onData: data => smux.receive(data),
      onWritable: () => smux.onRoom(),
    },
  )
  const smux = new SmuxSession({
    role: 'client',
    version: 2,
    send: parts => scene.client.sendParts(PayloadType.output, parts),
  })
  return { scene, smux, connect: () => collect(smux.open()) }
}

function collect(stream: SmuxStream) {
  const chunks: Buffer[] = []
  let length = 0
  let ended = false
  let reset: string | undefined
  let reading = true
  let changed = () => {}
  stream.events = {
    data: chunk => {
      chunks.push(Buffer.from(chunk))
      length += chunk.length
      changed()
      return reading
    },
    end: () => {
      ended = true
      changed()
    },
    reset: reason => {
      reset = reason
      changed()
    },
    writable: () => changed(),
  }
  const until = async (condition: () => boolean) => {
    while (!condition()) {
      await new Promise<void>(resolve => {
        changed = resolve
      })
    }
  }
  return {
    stream,
    text: () => Buffer.concat(chunks).toString('latin1'),
    stall: () => {
      reading = false
    },
    length: () => length,
    has: (count: number) => until(() => length >= count),
    ended: () => until(() => ended),
    reset: async () => {
      await until(() => reset !== undefined)
      return reset
    },
    write: async (data: Uint8Array) => {
      for (let i = 0; i < data.length; i += 32 * KIB) {
        if (stream.write(data.subarray(i, i + 32 * KIB))) continue
        await new Promise<void>(resolve => {
          const events = stream.events
          if (events) stream.events = { ...events, writable: () => resolve() }
        })
      }
    },
  }
}

test('large data goes both ways, byte for byte', async () => {
  const server = await target(echo)
  const { connect } = openOwn({ portNumber: String(server.port) })
  const data = pattern(5 * MIB)
  const connection = connect()
  const written = connection.write(data)
  await connection.has(data.length)
  await written
  expect(Buffer.from(connection.text(), 'latin1').equals(data)).toBe(true)
})

test('a client that ends its input still gets the whole answer', async () => {
  const server = await target(async socket => {
    const request = await readAll(socket)
    socket.end(`${request.length} bytes, thank you`)
  })
  const { smux, connect } = openOwn({ portNumber: String(server.port) })
  const connection = connect()
  await connection.write(pattern(300 * KIB))
  connection.stream.end()
  await connection.ended()
  expect(connection.text()).toBe(`${300 * KIB} bytes, thank you`)
  expect(smux.streamCount).toBe(0)
})

test('a client that ends its input while the connection is being opened, too', async () => {
  const { network, releases, until } = heldDials()
  const server = await target(async socket => {
    const request = await readAll(socket)
    socket.end(`heard ${request}`)
  })
  const { connect } = openOwn({ portNumber: String(server.port) }, { network })
  const connection = connect()
  await connection.write(Buffer.from('early'))
  connection.stream.end()
  await until(1)
  releases[0]?.()
  await connection.ended()
  expect(connection.text()).toBe('heard early')
})

test('a client that has nothing to say and ends its input first hears the target', async () => {
  const { network, releases, until } = heldDials()
  const server = await target(async socket => {
    await readAll(socket)
    socket.end('the time is now')
  })
  const { connect } = openOwn({ portNumber: String(server.port) }, { network })
  const connection = connect()
  connection.stream.end()
  await until(1)
  releases[0]?.()
  await connection.ended()
  expect(connection.text()).toBe('the time is now')
})

test('a target that ends first still hears the client', async () => {
  const server = await target(socket => socket.end('bye'))
  const { connect } = openOwn({ portNumber: String(server.port) })
  const connection = connect()
  await connection.ended()
  expect(connection.text()).toBe('bye')
  await connection.write(Buffer.from('one more thing'))
  connection.stream.end()
  expect((await readAll(await server.accepted())).toString()).toBe('one more thing')
})

test('a reset is carried both ways', async () => {
  const server = await target()
  const { connect } = openOwn({ portNumber: String(server.port) })
  const [first, second] = [connect(), connect()]
  await first.write(Buffer.from('1'))
  const firstSocket = await server.accepted()
  await readSome(firstSocket, 1)
  firstSocket.resetAndDestroy()
  expect(await first.reset()).toMatch(/reset/i)
  await second.write(Buffer.from('2'))
  const secondSocket = await server.accepted()
  await readSome(secondSocket, 1)
  second.stream.reset('changed my mind')
  const [error] = (await once(secondSocket, 'error')) as [NodeJS.ErrnoException]
  expect(error.code).toBe('ECONNRESET')
})

test('a refused connection ends its stream only, in words with host and port', async () => {
  const port = await closedPort()
  const { scene, connect } = openOwn({ portNumber: String(port), host: '127.0.0.1' })
  const connection = connect()
  await connection.write(Buffer.from('anybody?'))
  expect(await connection.reset()).toBe(`cannot connect to 127.0.0.1:${port}: connection refused`)
  expect(await connect().write(Buffer.from('still here'))).toBeUndefined()
  expect(scene.flags).toEqual([])
})

test('a slow dial delays nobody, and may be given up', async () => {
  const { network, releases, cancelled, until } = heldDials()
  const server = await target(echo)
  const { connect } = openOwn({ portNumber: String(server.port) }, { network })
  const connections = Array.from({ length: 50 }, connect)
  for (const [i, { write }] of connections.entries()) await write(pattern(100, i))
  await until(50)
  // All but the first are let go, last first.
  for (const release of releases.slice(1).reverse()) release()
  for (const [i, connection] of connections.entries()) {
    if (i === 0) continue
    await connection.has(100)
    expect(connection.text()).toBe(pattern(100, i).toString('latin1'))
  }
  expect(connections[0]?.length()).toBe(0)
  connections[0]?.stream.reset()
  const last = connect()
  await until(51)
  last.stream.reset()
  const witness = connect()
  await until(52)
  expect(cancelled.length).toBe(2)
  releases[51]?.()
  await witness.write(Buffer.from('x'))
  await witness.has(1)
})

test('a client that does not read one stream gets the others', async () => {
  const server = await target(socket => {
    socket.on('data', () => socket.write(pattern(MIB)))
  })
  const { scene, connect } = openOwn({ portNumber: String(server.port) })
  const stalled = connect()
  stalled.stall()
  for (let i = 0; i < 20; i++) await stalled.write(Buffer.from('more'))
  await stalled.has(1)
  for (let i = 0; i < 10; i++) {
    const connection = connect()
    await connection.write(Buffer.from('x'))
    await connection.has(MIB)
  }
  expect(stalled.length()).toBeLessThan(MIB)
  expect(scene.client.bufferedBytes).toBeLessThan(4 * MIB)
})

test('a target that does not read one stream gets the others', async () => {
  let first = true
  const server = await target(socket => {
    if (!first) socket.pipe(socket)
    first = false
  })
  const { connect } = openOwn({ portNumber: String(server.port) })
  const stalled = connect()
  void stalled.write(pattern(32 * MIB))
  await server.accepted()
  for (let i = 0; i < 10; i++) {
    const connection = connect()
    await connection.write(pattern(256 * KIB, i))
    await connection.has(256 * KIB)
  }
})

test('the end of the session ends every connection, and what is being opened', async () => {
  const { network, releases, cancelled, until } = heldDials()
  const server = await target(echo)
  const { scene, connect } = openOwn({ portNumber: String(server.port) }, { network })
  const [first] = [connect(), connect(), connect()]
  await first?.write(Buffer.from('x'))
  connect()
  await until(4)
  for (const release of releases.slice(0, 3)) release()
  const sockets = [await server.accepted(), await server.accepted(), await server.accepted()]
  await first?.has(1)
  await scene.session.stop()
  await Promise.all(sockets.map(socket => readAll(socket)))
  expect(cancelled.length).toBe(1)
  await scene.session.stop()
})

test('a name that turns into a denied address is refused from then on, stream by stream', async () => {
  const answers = ['127.0.0.1', '127.0.0.1', '169.254.169.254']
  const server = await target(echo)
  const resolve = async () => [answers.shift() ?? '169.254.169.254']
  const { connect } = openOwn(
    { portNumber: String(server.port), host: 'rebind.evil.org' },
    { network: { resolve } },
  )
  // The check at the start has taken the first answer.
  await new Promise(setImmediate)
  const honest = connect()
  await honest.write(Buffer.from('x'))
  await honest.has(1)
  expect(await connect().reset()).toMatch(
    /^cannot connect to rebind.evil.org:\d+: Forwarding to IP address 169.254.169.254 is forbidden\./,
  )
  await honest.write(Buffer.from('y'))
  await honest.has(2)
})

test('the sessions of an agent share a number of connections', async () => {
  const { network } = heldDials()
  const full = Array.from({ length: 4 }, () => openOwn({ portNumber: '80' }, { network }))
  for (const { smux } of full) for (let i = 0; i < 1024; i++) collect(smux.open())
  const last = openOwn({ portNumber: '80' }, { network })
  const one = last.connect()
  expect(await one.reset()).toBe(
    'cannot connect to localhost:80: the agent has 4096 forwarded connections open, which is its limit',
  )
  await full[0]?.scene.session.stop()
  const server = await target(echo)
  const free = openOwn({ portNumber: String(server.port) }).connect()
  await free.write(Buffer.from('hello'))
  await free.has(5)
})
