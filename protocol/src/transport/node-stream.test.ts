import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { concatBytes } from '../bytes.ts'
import { SESSION_BUFFER, SmuxSession } from '../smux/session.ts'
import type { SmuxStream } from '../smux/stream.ts'
import { joinSocket } from './node-stream.ts'

const MEBIBYTE = 1024 * 1024
const cleanups: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A byte stream that carries what one session sends to the other, in order, some at a time. */
class Pipe {
  readonly #chunks: Uint8Array[] = []
  readonly #options: { limit: number; to: () => SmuxSession; from: () => SmuxSession }
  #bytes = 0
  #blocked = false
  #scheduled = false
  most = 0

  constructor(options: { limit: number; to: () => SmuxSession; from: () => SmuxSession }) {
    this.#options = options
  }

  send(parts: readonly Uint8Array[]): boolean {
    const chunk = concatBytes(parts)
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    this.most = Math.max(this.most, this.#bytes)
    this.#schedule()
    return this.#bytes < this.#options.limit
  }

  resume(): void {
    this.#blocked = false
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled || this.#blocked || this.#chunks.length === 0) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#carry()
    })
  }

  #carry(): void {
    for (const chunk of this.#chunks.splice(0, 4)) {
      this.#bytes -= chunk.length
      if (!this.#options.to().receive(chunk)) this.#blocked = true
    }
    if (this.#bytes < this.#options.limit) this.#options.from().onRoom()
    this.#schedule()
  }
}

/** Local connections come out as connections to `target`, as in a port forward. */
async function forward(version: 1 | 2, target: { port: number } | { path: string }) {
  const up: Pipe = new Pipe({ limit: MEBIBYTE, to: () => server, from: () => client })
  const down: Pipe = new Pipe({ limit: MEBIBYTE, to: () => client, from: () => server })
  const closed = { client: 0, server: 0 }
  const client: SmuxSession = new SmuxSession({
    role: 'client',
    version,
    send: parts => up.send(parts),
    onConsumed: () => down.resume(),
  })
  const remote: Socket[] = []
  const server: SmuxSession = new SmuxSession({
    role: 'server',
    version,
    send: parts => down.send(parts),
    onConsumed: () => up.resume(),
    onStream: stream => {
      const socket = connect({ ...target, allowHalfOpen: true } as { port: number; allowHalfOpen: boolean })
      remote.push(socket)
      joinSocket(stream, socket, { onClosed: () => closed.server++ })
    },
  })
  const streams: SmuxStream[] = []
  const listener = createServer({ allowHalfOpen: true }, socket => {
    const stream = client.open()
    streams.push(stream)
    joinSocket(stream, socket, { onClosed: () => closed.client++ })
  })
  const port = await listen(listener, { port: 0, host: '127.0.0.1' })
  cleanups.push(() => client.close('over'))
  cleanups.push(() => server.close('over'))
  return { port, client, server, closed, streams, remote }
}

async function listen(server: Server, where: object): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
  })
  server.listen(where)
  await once(server, 'listening')
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise(resolve => server.close(resolve))
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** A server on a port of its own; answers the first connection that it gets. */
async function target(onConnection?: (socket: Socket) => void) {
  const server = createServer({ allowHalfOpen: true }, socket => onConnection?.(socket))
  const accepted = once(server, 'connection').then(([socket]) => socket as Socket)
  return { port: await listen(server, { port: 0, host: '127.0.0.1' }), accepted }
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => undefined)
  cleanups.push(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', chunk => chunks.push(chunk))
  socket.resume()
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

/** Reads until the connection fails. */
const codeOfError = (socket: Socket) =>
  new Promise<unknown>(resolve => {
    socket.on('error', error => resolve('code' in error ? error.code : error.message)).resume()
  })

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Waits until what happens in between has happened. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setImmediate(resolve))
}

describe.each([1, 2] as const)('through smux version %i', version => {
  test('20 MB come through both ways at once, byte for byte', async () => {
    const there = randomBytes(20 * MEBIBYTE)
    const back = randomBytes(20 * MEBIBYTE)
    const far = await target()
    const tunnel = await forward(version, far)
    const near = await dial(tunnel.port)
    const remote = await far.accepted
    const size = (socket: Socket, bytes: number) =>
      new Promise<string>(resolve => {
        const digest = createHash('sha256')
        let left = bytes
        socket.on('data', chunk => {
          digest.update(chunk)
          left -= chunk.length
          if (left === 0) resolve(digest.digest('hex'))
        })
      })
    const received = Promise.all([size(remote, there.length), size(near, back.length)])
    near.write(there)
    remote.write(back)
    expect(await received).toEqual([hash(there), hash(back)])
    near.end()
    remote.end()
    await until(() => tunnel.closed.client === 1 && tunnel.closed.server === 1)
    expect([tunnel.client.streamCount, tunnel.server.streamCount]).toEqual([0, 0])
  })

  test('a target that answers and ends is heard to the end', async () => {
    const answer = randomBytes(3 * MEBIBYTE)
    const far = await target(socket => socket.end(answer))
    const tunnel = await forward(version, far)
    const near = await dial(tunnel.port)
    expect(hash(await readAll(near))).toBe(hash(answer))
    near.end()
    await until(() => tunnel.closed.client === 1 && tunnel.closed.server === 1)
    expect([tunnel.client.streamCount, tunnel.server.streamCount]).toEqual([0, 0])
  })

  test('a client that is not reading stops the target, and both go on later', async () => {
    const answer = randomBytes(24 * MEBIBYTE)
    const far = await target()
    const tunnel = await forward(version, far)
    const near = await dial(tunnel.port)
    near.pause()
    const remote = await far.accepted
    remote.end(answer)
    let last = -1
    // The kernel takes some megabytes; when nothing has moved for many turns, everybody waits.
    for (
      let still = 0;
      still < 200;
      still = remote.bytesWritten - remote.writableLength === last ? still + 1 : 0
    ) {
      last = remote.bytesWritten - remote.writableLength
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(remote.writableLength).toBeGreaterThan(0)
    expect(tunnel.client.bufferedBytes).toBeLessThanOrEqual(SESSION_BUFFER + 64 * 1024)
    expect(tunnel.server.bufferedBytes).toBeLessThanOrEqual(512 * 1024)
    expect(hash(await readAll(near))).toBe(hash(answer))
  })

  test('a connection that is refused ends the local one', async () => {
    const unused = createServer()
    unused.listen(0, '127.0.0.1')
    await once(unused, 'listening')
    const { port } = unused.address() as { port: number }
    await new Promise(resolve => unused.close(resolve))
    const tunnel = await forward(version, { port })
    const near = await dial(tunnel.port)
    near.on('end', () => near.end()).resume()
    await new Promise(resolve => near.on('close', resolve))
    expect([tunnel.client.streamCount, tunnel.server.streamCount]).toEqual([0, 0])
  })

  test('the end of the session resets the connections', async () => {
    const far = await target()
    const tunnel = await forward(version, far)
    const near = await dial(tunnel.port)
    const remote = await far.accepted
    const errors = [near, remote].map(codeOfError)
    // A connection that is still being made can only be given up.
    await until(() => tunnel.remote[0]?.connecting === false)
    tunnel.client.close('terminated')
    tunnel.server.close('terminated')
    expect(await Promise.all(errors)).toEqual(['ECONNRESET', 'ECONNRESET'])
  })
})

describe('our own ends carry', () => {
  test('the end of the question, before the answer is given', async () => {
    const far = await target(async socket => socket.end(hash(await readAll(socket))))
    const tunnel = await forward(2, far)
    const near = await dial(tunnel.port)
    const question = randomBytes(MEBIBYTE)
    near.end(question)
    expect((await readAll(near)).toString()).toBe(hash(question))
    await until(() => tunnel.closed.client === 1 && tunnel.closed.server === 1)
  })

  test('the end of a target that goes on reading', async () => {
    const far = await target()
    const tunnel = await forward(2, far)
    const near = await dial(tunnel.port)
    const remote = await far.accepted
    const received = readAll(remote)
    remote.end('bye')
    expect((await readAll(near)).toString()).toBe('bye')
    const rest = randomBytes(MEBIBYTE)
    near.end(rest)
    expect(hash(await received)).toBe(hash(rest))
  })

  test('a reset by the client', async () => {
    const far = await target()
    const tunnel = await forward(2, far)
    const near = await dial(tunnel.port)
    const remote = await far.accepted
    const error = codeOfError(remote)
    near.resetAndDestroy()
    expect(await error).toBe('ECONNRESET')
    await until(() => tunnel.closed.client === 1 && tunnel.closed.server === 1)
    expect([tunnel.client.streamCount, tunnel.server.streamCount]).toEqual([0, 0])
  })

  test('a reset by the target', async () => {
    const far = await target()
    const tunnel = await forward(2, far)
    const near = await dial(tunnel.port)
    near.write('hello')
    const remote = await far.accepted
    const error = codeOfError(near)
    remote.resetAndDestroy()
    expect(await error).toBe('ECONNRESET')
  })

  test('49 connections past one that is not read', async () => {
    const answer = randomBytes(MEBIBYTE)
    const long = randomBytes(12 * MEBIBYTE)
    let first = true
    const far = await target(socket => {
      socket.end(first ? long : answer)
      first = false
    })
    const tunnel = await forward(2, far)
    const stalled = await dial(tunnel.port)
    stalled.pause()
    await far.accepted
    const others = await Promise.all(Array.from({ length: 49 }, () => dial(tunnel.port)))
    const sizes = await Promise.all(others.map(async socket => (await readAll(socket)).length))
    expect(sizes.every(size => size === MEBIBYTE)).toBe(true)
    expect(hash(await readAll(stalled))).toBe(hash(long))
  })
})

test('a Unix socket is joined like any other, and closed where it cannot be reset', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-stream-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'target.sock')
  const server = createServer({ allowHalfOpen: true }, socket => socket.pipe(socket, { end: false }))
  await listen(server, { path })
  const tunnel = await forward(2, { path })
  const near = await dial(tunnel.port)
  near.write('echo')
  expect(((await once(near, 'data')) as [Buffer])[0].toString()).toBe('echo')
  near.resetAndDestroy()
  await until(() => tunnel.closed.server === 1)
})

test('a stream that was reset before it was joined closes the socket at once', async () => {
  const far = await target()
  const tunnel = await forward(2, far)
  const near = await dial(tunnel.port)
  const stream = tunnel.client.open()
  tunnel.client.close('too late')
  const closed = once(near, 'close')
  joinSocket(stream, near)
  await closed
})
