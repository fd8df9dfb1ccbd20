import { once } from 'node:events'
import { Socket } from 'node:net'
import { concatBytes } from '@sallyport/protocol/bytes'
import { SmuxCommand, SmuxFrameReader, type SmuxVersion, smuxHeader } from '@sallyport/protocol/smux/frame'
import { STREAM_WINDOW } from '@sallyport/protocol/smux/sending'
import { MAXIMUM_STREAMS } from '@sallyport/protocol/smux/session'
import { frame, update } from '@sallyport/protocol/smux/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Bystanders } from './bystanders.ts'
import { expectEnd, growth, HostileClient, type HostileClientOptions } from './hostile-client.ts'
import { frameOf, logLines } from './hostile-peer.ts'
import { binDirectory, Service, type Stack, startStack } from './stack.ts'
import { dial, download, readAll, serveHttp, serveTcp, type TestServer } from './tcp-servers.ts'

// Clients of port sessions that are let in and then say what they like in the stream that carries their connections. It is
// their own session that ends, with the reason in the record and in the agent's log, and others on the node go on.

const MEBIBYTE = 1024 * 1024
/** What may come on top of the memory of a process, whatever is thrown at it. */
const MEMORY = 120 * MEBIBYTE
/** Of one session whose streams are all as full as they can be: a window each, and a chunk that waits for its socket. */
const FULL_STREAMS = MAXIMUM_STREAMS * (STREAM_WINDOW + 64 * 1024)
const STREAMS = 100_000
const BLOCK = 60_000

let stack: Stack
let bystanders: Bystanders
let echo: TestServer
/** Connects nobody: its queue is full and it never looks at it. */
let deaf: Service
let deafPort = 0
const filling = Array.from({ length: 8 }, () => new Socket())

beforeAll(async () => {
  stack = await startStack()
  bystanders = await Bystanders.at(stack)
  echo = await serveTcp(socket => socket.pipe(socket))
  deaf = new Service(process.execPath, ['-e', DEAF], {})
  deafPort = Number(/port=(\d+)/.exec(await deaf.waitForLine(/port=\d+/))?.[1])
  for (const socket of filling) socket.on('error', () => {})
  for (const socket of filling) socket.connect({ host: '127.0.0.1', port: deafPort })
  await Promise.any(filling.map(socket => once(socket, 'connect')))
})

const DEAF = `require('net').createServer().listen({ port: 0, backlog: 1, host: '127.0.0.1' }, function () {
  require('fs').writeSync(1, 'port=' + this.address().port + '\\n')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})`

afterEach(() => bystanders.expectUndisturbed())

afterAll(async () => {
  for (const socket of filling) socket.destroy()
  await deaf?.kill('SIGKILL')
  await bystanders?.[Symbol.asyncDispose]()
  await echo?.[Symbol.asyncDispose]()
  await stack?.[Symbol.asyncDispose]()
})

function open(port: number, options: Partial<HostileClientOptions> = {}): Promise<HostileClient> {
  const document = 'AWS-StartPortForwardingSession'
  return HostileClient.open(stack, stack.node.id, {
    document,
    parameters: { portNumber: [String(port)] },
    ...options,
  })
}

const idOf = (i: number) => 3 + 2 * i
const terms = (version: SmuxVersion) => (version === 1 ? { terms: 'stock' as const } : {})

/** Sends what `piece` makes for each stream, in blocks, until the session is over. */
async function flood(client: HostileClient, count: number, piece: (i: number) => Uint8Array): Promise<void> {
  let pieces: Uint8Array[] = []
  let size = 0
  for (let i = 0; i < count; i++) {
    const bytes = piece(i)
    pieces.push(bytes)
    size += bytes.length
    if (size < BLOCK && i < count - 1) continue
    if (!(await client.send(concatBytes(pieces)))) return
    pieces = []
    size = 0
  }
}

/** What came back on each stream. */
function dataOf(client: HostileClient, version: SmuxVersion): Map<number, string> {
  const found = new Map<number, string>()
  const reader = new SmuxFrameReader(version, (command, id, data) => {
    if (command === SmuxCommand.psh) found.set(id, (found.get(id) ?? '') + Buffer.from(data).toString())
  })
  for (const chunk of client.output) reader.push(chunk)
  return found
}

async function expectEcho(client: HostileClient, id: number, version: SmuxVersion = 2): Promise<void> {
  const hello = Buffer.from('hello')
  await client.send(concatBytes([frame(version, 'syn', id), frame(version, 'psh', id, hello)]))
  await client.until(() => client.over || dataOf(client, version).get(id) === 'hello')
  expect(client.over).toBe(false)
}

describe('a client that opens 100,000 streams', () => {
  const syn = (version: SmuxVersion) => (i: number) => frame(version, 'syn', idOf(i))
  const withData = (version: SmuxVersion) => (i: number) =>
    concatBytes([frame(version, 'syn', idOf(i)), frame(version, 'psh', idOf(i), new Uint8Array(100))])
  const tooMany = /^the peer goes on opening streams where 1024 are open$/

  test.each([
    ['of version 1', 1, syn(1), {}],
    ['of version 2', 2, syn(2), {}],
    ['with data on each', 2, withData(2), {}],
    ['and takes none of the answers', 2, syn(2), { acknowledges: false }],
  ] as const)('%s is thrown out after a thousand', async (_, version, piece, options) => {
    let client: HostileClient | undefined
    const grown = await growth(stack, async () => {
      client = await open(echo.port, { ...terms(version), ...options })
      await flood(client, STREAMS, piece)
      await expectEnd(stack, client, tooMany)
    })
    expect(grown.server).toBeLessThan(MEMORY)
    expect(grown.agent).toBeLessThan(MEMORY)
  })

  test('to a port where nobody listens, and takes no answer, is thrown out', async () => {
    const closed = await serveTcp(() => {})
    await closed[Symbol.asyncDispose]()
    const client = await open(closed.port, { terms: 'stock', acknowledges: false })
    await flood(client, STREAMS, syn(1))
    await expectEnd(stack, client, /^the peer (has not acknowledged \d+ bytes|goes on opening streams)/)
  })

  test('and resets each at once costs nothing, and may go on', async () => {
    const grown = await growth(stack, async () => {
      const client = await open(echo.port)
      const churn = (i: number) => concatBytes([frame(2, 'syn', idOf(i)), frame(2, 'rst', idOf(i))])
      await Promise.all([flood(client, STREAMS, churn), bystanders.expectUndisturbed()])
      await expectEcho(client, idOf(STREAMS))
      client.leave()
    })
    expect(grown.server).toBeLessThan(MEMORY)
    expect(grown.agent).toBeLessThan(MEMORY)
  })

  test.each([1, 2] as const)('of version %d and ends each at once costs nothing', async version => {
    const grown = await growth(stack, async () => {
      const client = await open(echo.port, terms(version))
      client.keepsOutput = false
      const churn = (i: number) =>
        concatBytes([frame(version, 'syn', idOf(i)), frame(version, 'fin', idOf(i))])
      await Promise.all([flood(client, STREAMS, churn), bystanders.expectUndisturbed()])
      client.leave()
    })
    expect(grown.server).toBeLessThan(MEMORY)
    expect(grown.agent).toBeLessThan(MEMORY)
  })

  test('as full as they may be, to a target that never answers, takes the windows and no more', async () => {
    const grown = await growth(stack, async () => {
      const client = await open(deafPort)
      for (let i = 0; i < MAXIMUM_STREAMS; i++) await client.send(frame(2, 'syn', idOf(i)))
      const full = new Uint8Array(BLOCK)
      await flood(client, MAXIMUM_STREAMS * 4, i => frame(2, 'psh', idOf(i % MAXIMUM_STREAMS), full))
      expect(client.over).toBe(false)
      await bystanders.expectUndisturbed()
      client.leave()
    })
    expect(grown.server).toBeLessThan(MEMORY)
    expect(grown.agent).toBeLessThan(FULL_STREAMS)
  })
})

describe('one stalled stream of many', () => {
  const body = Buffer.alloc(MEBIBYTE, 'sallyport ')

  async function forwardTo(port: number): Promise<{ service: Service; port: number }> {
    const args = ['forward', stack.node.id, `:${port}`]
    const service = new Service(`${binDirectory}/sallyport`, args, stack.env)
    const output = await service.waitForLine(/^Forwarding 127\.0\.0\.1:\d+/)
    return { service, port: Number(/^Forwarding 127\.0\.0\.1:(\d+)/m.exec(output)?.[1]) }
  }

  test('that its client does not read lets 49 others through', async () => {
    await using server = await serveHttp((request, response) => {
      response.on('error', () => {})
      response.end(request.url === '/stalled' ? Buffer.alloc(32 * MEBIBYTE) : body)
    })
    const { service, port } = await forwardTo(server.port)
    const stalled = await dial({ host: '127.0.0.1', port })
    stalled.write('GET /stalled HTTP/1.1\r\nHost: node\r\n\r\n')
    await once(stalled, 'readable')
    const others = Array.from({ length: 49 }, () => download(`http://127.0.0.1:${port}/`))
    for (const arrived of await Promise.all(others)) expect(arrived.equals(body)).toBe(true)
    stalled.destroy()
    await service.stop()
  })

  test('whose target does not read lets 49 others through', async () => {
    let first = true
    await using server = await serveTcp(async socket => {
      if (first) first = false
      else socket.end(String((await readAll(socket)).length))
    })
    const { service, port } = await forwardTo(server.port)
    const stalled = await dial({ host: '127.0.0.1', port })
    stalled.write(Buffer.alloc(32 * MEBIBYTE))
    stalled.on('error', () => {})
    await expect.poll(() => stalled.bytesWritten).toBeGreaterThan(0)
    const others = Array.from({ length: 49 }, async () => {
      const socket = await dial({ host: '127.0.0.1', port })
      socket.end(body)
      return String(await readAll(socket))
    })
    expect(new Set(await Promise.all(others))).toEqual(new Set([String(body.length)]))
    stalled.destroy()
    await service.stop()
  })
})

describe('a stream that makes no sense ends the session', () => {
  const opened = (...frames: Uint8Array[]) => concatBytes([frame(2, 'syn', 3), ...frames])
  const raw = (version: SmuxVersion, command: number, length: number) =>
    concatBytes([smuxHeader(version, command as 0, 3, length), new Uint8Array(length)])

  test.each([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n'), /^smux version 71, not 2$/],
    ['another version', frame(1, 'syn', 3), /^smux version 1, not 2$/],
    ['an unknown command', raw(2, 9, 0), /^smux 2 has no command 9$/],
    ['a SYN with data', raw(2, SmuxCommand.syn, 1), /command 0 with 1 bytes of data$/],
    ['a NOP with data', raw(2, SmuxCommand.nop, 65_535), /command 3 with 65535 bytes of data$/],
    ['an UPD that is short', raw(2, SmuxCommand.upd, 7), /command 4 with 7 bytes of data$/],
    ['a reason that is long', raw(2, SmuxCommand.rst, 513), /command 5 with 513 bytes of data$/],
    ['a stream of the server’s', frame(2, 'syn', 2), /opened stream 2, which is not one of its own$/],
    ['a stream twice', opened(frame(2, 'syn', 3)), /^stream 3 was opened twice$/],
    ['data after the end', opened(frame(2, 'fin', 3), raw(2, 2, 1)), /^data on stream 3 after its end$/],
    [
      'consumption of what was never sent',
      opened(update(3, 100, 1)),
      /^100 bytes of stream 3 consumed, of 0/,
    ],
    ['a window without end', opened(update(3, 0, 2 ** 31)), /^a window of 2147483648 bytes on stream 3$/],
    ['an UPD of version 1', raw(1, SmuxCommand.upd, 8), /^smux 1 has no command 4$/],
  ])('%s', async (_, bytes, reason) => {
    const client = await open(deafPort, bytes[0] === 1 && bytes[1] === 4 ? terms(1) : {})
    await client.send(bytes)
    await expectEnd(stack, client, reason)
  })

  test('data beyond the window', async () => {
    const client = await open(deafPort)
    const beyond = Math.ceil(STREAM_WINDOW / BLOCK) + 1
    await client.send(frame(2, 'syn', 3))
    await flood(client, beyond, () => frame(2, 'psh', 3, new Uint8Array(BLOCK)))
    await expectEnd(stack, client, /^data beyond the window of stream 3$/)
  })
})

describe('a stream that is only strange is served', () => {
  test.each([1, 2] as const)('cut at every byte, in version %d', async version => {
    const client = await open(echo.port, terms(version))
    const pieces = [
      frame(version, 'syn', 3),
      frame(version, 'psh', 3, Buffer.from('hello ')),
      frame(version, 'nop', 0),
    ]
    const bytes = concatBytes([...pieces, frame(version, 'psh', 3, Buffer.from('world'))])
    for (const byte of bytes) await client.send(Uint8Array.of(byte))
    await client.until(() => client.over || dataOf(client, version).get(3) === 'hello world')
    expect(client.over).toBe(false)
    client.leave()
  })

  test('by messages that come in the reverse of their order, far ahead, and again and again', async () => {
    const client = await open(echo.port, { document: 'AWS-StartSSHSession' })
    const text = Array.from({ length: 2_000 }, (_, i) => `${i} `)
    const message = (i: number) => frameOf({ sequenceNumber: 1 + i, payload: Buffer.from(text[i] ?? '') })
    for (const number of [1e5, 1.5e5, 2e5]) client.connection.send(frameOf({ sequenceNumber: number }))
    for (let i = text.length - 1; i >= 0; i--) {
      client.connection.send(message(i))
      client.connection.send(message(text.length - 1))
    }
    const all = text.join('')
    await client.until(() => client.over || client.outputBytes === all.length)
    expect(Buffer.concat(client.output).toString()).toBe(all)
    client.leave()
  })

  test.each([
    ['keep-alives', frame(2, 'nop', 0)],
    ['windows', update(3, 0, STREAM_WINDOW)],
    ['ends of streams that are not there', concatBytes([frame(2, 'fin', 99), frame(2, 'rst', 97)])],
    ['data for a stream that is not there', frame(2, 'psh', 99, new Uint8Array(1_000))],
  ])('among a flood of %s', async (_, piece) => {
    const client = await open(echo.port)
    await expectEcho(client, 3)
    const grown = await growth(stack, () =>
      flood(client, Math.ceil((8 * MEBIBYTE) / piece.length), () => piece),
    )
    await expectEcho(client, 5)
    expect(grown.server).toBeLessThan(MEMORY)
    expect(grown.agent).toBeLessThan(MEMORY)
    client.leave()
  })
})

test('nobody else learned of any of it', () => {
  expect(logLines(stack, 'protocol violation')).toEqual([])
})
