/** Servers on the node's side and clients on the person's, both in the test's own process. */
import { once } from 'node:events'
import { createServer as createHttpServer, get, type RequestListener } from 'node:http'
import {
  type AddressInfo,
  connect,
  createServer,
  type Server,
  type Socket,
  type SocketConnectOpts,
} from 'node:net'
import type { Readable } from 'node:stream'

export type TestServer = AsyncDisposable & { port: number }

async function listen(server: Server): Promise<TestServer> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** Half-open connections stay open: it is the handler that ends them. */
export const serveTcp = (handler: (socket: Socket) => void): Promise<TestServer> =>
  listen(createServer({ allowHalfOpen: true }, handler))

export const serveHttp = (handler: RequestListener): Promise<TestServer> => listen(createHttpServer(handler))

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  await using server = await serveTcp(() => {})
  return server.port
}

export async function download(url: string): Promise<Buffer> {
  const [response] = await once(get(url, { agent: false }), 'response')
  return await readAll(response)
}

export async function dial(to: SocketConnectOpts): Promise<Socket> {
  const socket = connect({ ...to, allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}

/** To the end of what comes; a socket can still be written to then, which `for await` would have destroyed. */
export async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream.on('data', chunk => chunks.push(chunk))
  await once(stream, 'end')
  return Buffer.concat(chunks)
}
