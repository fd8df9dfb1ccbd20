import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { MAXIMUM_FRAME_SIZE } from '../message.ts'
import { type DialOptions, dialWebSocket, WEBSOCKET_OPTIONS, wrapWebSocket } from './node.ts'
import { type Connection, DialError } from './transport.ts'

const closers: Array<() => void> = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function listenOnLoopback(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/data-channel/s`
}

/** Both ends of a real websocket over loopback, through the same code that the server and its peers run. */
async function startPair(optionsFor: (url: URL) => DialOptions = () => ({})) {
  const websockets = new WebSocketServer({ noServer: true, ...WEBSOCKET_OPTIONS })
  const server = createServer()
  const url = await listenOnLoopback(server)
  let request: IncomingMessage | undefined
  let socket: Socket | undefined
  const accepted = new Promise<Connection>(resolve => {
    server.on('upgrade', (upgrade, stream, head) => {
      request = upgrade
      socket = stream as Socket
      websockets.handleUpgrade(upgrade, stream, head, ws => resolve(wrapWebSocket(ws, stream as Socket)))
    })
  })
  const client = await dialWebSocket(url, optionsFor(new URL(url)))
  const far = await accepted
  closers.push(() => {
    client.terminate()
    far.terminate()
  })
  return { client, far, request, socket: socket as Socket }
}

/** Writes down what a connection hears; `next` waits for something that starts so. */
function listen(connection: Connection) {
  const heard: string[] = []
  let wake: () => void = () => {}
  const note = (what: string) => {
    heard.push(what)
    wake()
  }
  connection.events = {
    message: (data, isText) => note(`${isText ? 'text' : 'bytes'} ${Buffer.from(data)}`),
    drain: () => note('drain'),
    pong: () => note('pong'),
    close: (code, reason) => note(`close ${code} ${reason}`),
  }
  const next = async (wanted: string): Promise<string> => {
    for (;;) {
      const found = heard.find(what => what.startsWith(wanted))
      if (found !== undefined) return found
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  return { heard, next }
}

describe('a connection', () => {
  test('carries bytes and text both ways, large and small, in order', async () => {
    const { client, far } = await startPair()
    const near = listen(client)
    const remote = listen(far)
    client.send('hello')
    client.send(Buffer.from('one'))
    client.send(Buffer.alloc(100_000, 'x'))
    client.send(Buffer.from('two'))
    far.send(Buffer.from('back'))
    await remote.next('bytes two')
    const starts = remote.heard.map(what => what.slice(0, 10))
    expect(starts).toEqual(['text hello', 'bytes one', 'bytes xxxx', 'bytes two'])
    expect(await near.next('bytes')).toBe('bytes back')
  })

  test('is made with the headers and over the stream that it was given, without compression', async () => {
    const streams: Socket[] = []
    const { request } = await startPair(({ hostname, port }) => ({
      headers: [['x-test', 'yes']],
      createConnection: () => {
        const stream = connect(Number(port), hostname)
        streams.push(stream)
        return stream
      },
    }))
    expect(streams.map(stream => stream.localPort)).toEqual([request?.socket.remotePort])
    expect(request?.headers['x-test']).toBe('yes')
    expect(request?.headers['sec-websocket-extensions']).toBeUndefined()
  })

  test('keeps what comes before anybody listens, the end included', async () => {
    const { client, far } = await startPair()
    far.send(Buffer.from('early'))
    const closed = listen(far)
    far.close(1000, 'bye')
    await closed.next('close')
    const { heard } = listen(client)
    expect(heard).toEqual(['bytes early', 'close 1000 bye'])
  })

  test('that is paused hears nothing, fills up its peer, and hears all of it when it reads on', async () => {
    const { client, far } = await startPair()
    const near = listen(client)
    const remote = listen(far)
    client.pause()
    const megabyte = Buffer.alloc(MAXIMUM_FRAME_SIZE, 'x')
    let count = 0
    // Until the kernel's buffers on both sides are full.
    while (far.bufferedBytes < 4 * megabyte.length) {
      far.send(megabyte)
      count++
      await new Promise(setImmediate)
    }
    expect(near.heard).toEqual([])
    client.resume()
    far.send(Buffer.from('end'))
    await near.next('bytes end')
    expect(near.heard.length).toBe(count + 1)
    await remote.next('drain')
    expect(far.bufferedBytes).toBe(0)
  })

  test('a ping is answered, and tells both ends that the other lives', async () => {
    const { client, far } = await startPair()
    const near = listen(client)
    const remote = listen(far)
    client.ping()
    await Promise.all([near.next('pong'), remote.next('pong')])
  })

  test('a flood of pings by a peer that reads no answers fills nothing, and the last is answered', async () => {
    const { client, far } = await startPair()
    const near = listen(client)
    const remote = listen(far)
    client.pause()
    const megabyte = Buffer.alloc(MAXIMUM_FRAME_SIZE, 'x')
    while (far.bufferedBytes < megabyte.length) {
      far.send(megabyte)
      await new Promise(setImmediate)
    }
    const before = far.bufferedBytes
    for (let i = 0; i < 50_000; i++) client.ping()
    client.send('that was all')
    await remote.next('text')
    expect(remote.heard.filter(what => what === 'pong')).toHaveLength(50_000)
    expect(far.bufferedBytes).toBeLessThanOrEqual(before)
    client.resume()
    await near.next('pong')
  })

  test('tells its owner when a write is done, however much Node calls too much', async () => {
    const { client, far } = await startPair()
    listen(client)
    const remote = listen(far)
    far.send(Buffer.alloc(40 * 1024))
    await remote.next('drain')
    expect(far.bufferedBytes).toBe(0)
  })
})

describe('the end', () => {
  test('comes with code and reason, once, and nothing is sent after it', async () => {
    const { client, far } = await startPair()
    const near = listen(client)
    const remote = listen(far)
    client.close(1008, 'not allowed')
    client.close(1000, 'again')
    client.send(Buffer.from('late'))
    client.ping()
    expect(await remote.next('close')).toBe('close 1008 not allowed')
    expect(await near.next('close')).toBe('close 1008 not allowed')
    expect(remote.heard.length).toBe(1)
  })

  test.each([
    ['x'.repeat(200), 'x'.repeat(120)],
    ['é'.repeat(100), 'é'.repeat(60)],
    [`x${'☃'.repeat(60)}`, `x${'☃'.repeat(39)}\ufffd`],
    ['é'.repeat(61), 'é'.repeat(61)],
  ])('reasons too long for a control frame are cut: %.12s…', async (reason, expected) => {
    const { client, far } = await startPair()
    const remote = listen(far)
    client.close(1000, reason)
    expect(await remote.next('close')).toBe(`close 1000 ${expected}`)
  })

  test('of a paused connection is heard all the same', async () => {
    const { client, far } = await startPair()
    const near = listen(client)
    listen(far)
    client.pause()
    client.close(1000, '')
    expect(await near.next('close')).toMatch(/^close 100/)
  })

  test('that is abrupt is a 1006, whoever caused it', async () => {
    const { client, far, socket } = await startPair()
    const near = listen(client)
    const remote = listen(far)
    socket.resetAndDestroy()
    expect(await near.next('close')).toMatch(/^close 1006/)
    expect(await remote.next('close')).toMatch(/^close 1006/)
    client.send(Buffer.from('late'))
    client.pause()
    client.resume()
    client.terminate()
  })

  test('a message beyond the limit ends the connection that brought it, and no process', async () => {
    const { client, far } = await startPair()
    const near = listen(client)
    const remote = listen(far)
    client.send(Buffer.alloc(MAXIMUM_FRAME_SIZE + 1))
    expect(await remote.next('close')).toMatch(/^close 1006/)
    expect(await near.next('close')).toMatch(/^close 1009/)
    expect(remote.heard.length).toBe(1)
  })

  test('bytes that are no websocket frame end it too', async () => {
    const { client, far, socket } = await startPair()
    const near = listen(client)
    listen(far)
    socket.write(Buffer.alloc(64, 0xff))
    expect(await near.next('close')).toMatch(/^close (1002|1006)/)
  })
})

describe('a dial that fails says why', () => {
  test('with the status of a server that refuses', async () => {
    const url = await listenOnLoopback(
      createServer().on('upgrade', (_, socket) =>
        socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'),
      ),
    )
    const failure = await dialWebSocket(url).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(DialError)
    expect(failure).toMatchObject({ status: 403, message: `${url} answered 403` })
  })

  test('with the error of the network where nobody listens', async () => {
    const server = createTcpServer()
    const url = await listenOnLoopback(server)
    await new Promise(resolve => server.close(resolve))
    const failure = await dialWebSocket(url).catch((error: unknown) => error)
    expect(failure).toMatchObject({
      name: 'DialError',
      status: undefined,
      message: expect.stringMatching(/ECONNREFUSED/),
    })
  })

  test('when the server hangs up, or answers what is no HTTP', async () => {
    for (const answer of ['', 'SSH-2.0-OpenSSH_9.6\r\n']) {
      const url = await listenOnLoopback(createTcpServer(socket => socket.on('error', () => {}).end(answer)))
      await expect(dialWebSocket(url)).rejects.toBeInstanceOf(DialError)
    }
  })
})
