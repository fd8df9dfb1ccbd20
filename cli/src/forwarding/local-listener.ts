import { existsSync, unlinkSync } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { portOwner } from '@sallyport/protocol/transport/node-port-owner'
import { CliError } from '../errors.ts'
import { inert } from '../inert.ts'
import type { LocalEnd } from './forward-spec.ts'

/** A local end that takes connections. Those that come before anybody asks for them wait. */
export type LocalListener = {
  /** `127.0.0.1:8080`, or the path of a Unix socket. */
  readonly label: string
  readonly address: string
  /** Of a Unix socket undefined. */
  readonly port: number | undefined
  /** Sockets are paused, and half-open ones stay open. */
  onConnection(take: (socket: Socket) => void): void
  /** Takes no more; those that wait are closed. Harmless twice. */
  close(): void
}

/** Both are what `localhost` may be; a machine without IPv6 has one only. */
const LOOPBACK = ['127.0.0.1', '::1']
/** `*`: one socket for both address families, where there are both. */
const ANY = '*'
const NO_SUCH_ADDRESS = ['EADDRNOTAVAIL', 'EAFNOSUPPORT']
/** A port that is free at one loopback address may be taken at the other. */
const FREE_PORT_TRIES = 10
/** Connections that may wait for the session to begin. */
const MAXIMUM_WAITING = 1024
/** sun_path of sockaddr_un (unix(7)) less its end mark: Node would cut what is longer. */
const MAXIMUM_PATH = 107

/** Takes connections from now on. Throws a CliError that says why it cannot, naming port or path. */
export async function listenLocally(end: LocalEnd): Promise<LocalListener> {
  return 'path' in end ? await listenOnPath(end.path) : await listenOnPort(end.port, end.bind)
}

async function listenOnPort(port: number, bind: string | undefined): Promise<LocalListener> {
  const hosts = bind === undefined || bind === 'localhost' ? LOOPBACK : [bind === ANY ? '::' : bind]
  for (let tried = 1; ; tried++) {
    const connections = new Connections()
    try {
      for (const host of hosts) {
        await connections.listen(host, connections.port ?? port)
      }
      const [problem] = connections.unavailable
      if (connections.port === undefined) throw problem
      return listenerOf(connections, hosts[0] ?? '')
    } catch (error) {
      connections.close()
      const { code, host } = error as ListenError
      if (port === 0 && code === 'EADDRINUSE' && tried < FREE_PORT_TRIES) continue
      if (bind === ANY && host === '::' && NO_SUCH_ADDRESS.includes(code ?? ''))
        return listenOnPort(port, '0.0.0.0')
      throw explainPort(error as ListenError, port)
    }
  }
}

function listenerOf(connections: Connections, host: string): LocalListener {
  const address = connections.unavailable.length > 0 && LOOPBACK.includes(host) ? connections.host : host
  return {
    label: `${address.includes(':') ? `[${address}]` : address}:${connections.port}`,
    address,
    port: connections.port,
    onConnection: take => connections.onConnection(take),
    close: () => connections.close(),
  }
}

type ListenError = NodeJS.ErrnoException & { host?: string }

/** The servers of one local end, and what has connected to them. */
class Connections {
  port: number | undefined
  host = ''
  readonly unavailable: ListenError[] = []
  readonly #servers: Server[] = []
  #waiting: Socket[] = []
  #take: ((socket: Socket) => void) | undefined
  #closed = false

  /** Remembers a loopback address that this machine does not have; rejects with any other error. */
  async listen(host: string, port: number): Promise<void> {
    const server = this.#createServer()
    try {
      await listening(server, () => server.listen({ host, port }))
    } catch (error) {
      const problem: ListenError = Object.assign(error as Error, { host })
      if (!LOOPBACK.includes(host) || !NO_SUCH_ADDRESS.includes(problem.code ?? '')) throw problem
      this.unavailable.push(problem)
      return
    }
    const address = server.address()
    if (this.port === undefined && typeof address === 'object') this.port = address?.port
    if (this.host === '') this.host = host
  }

  async listenOnPath(path: string): Promise<void> {
    const server = this.#createServer()
    // The file is there before its mode could be changed: nobody else may connect in between.
    const before = process.umask(0o177)
    try {
      await listening(server, () => {
        server.listen(path)
        process.umask(before)
      })
    } finally {
      process.umask(before)
    }
  }

  onConnection(take: (socket: Socket) => void): void {
    this.#take = take
    for (const socket of this.#waiting.splice(0)) take(socket)
  }

  close(): void {
    this.#closed = true
    for (const server of this.#servers) server.close()
    for (const socket of this.#waiting.splice(0)) socket.destroy()
  }

  #createServer(): Server {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, socket =>
      this.#connected(socket),
    )
    this.#servers.push(server)
    return server
  }

  #connected(socket: Socket): void {
    if (this.#take !== undefined) return this.#take(socket)
    // One that breaks while it waits is found out when it is taken.
    socket.on('error', () => {})
    if (this.#closed || this.#waiting.length >= MAXIMUM_WAITING) socket.destroy()
    else this.#waiting.push(socket)
  }
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', () => {
      server.off('error', reject)
      // A connection that could not be accepted (EMFILE) is no reason to end all others.
      server.on('error', () => {})
      resolve()
    })
    listen()
  })
}

async function listenOnPath(path: string): Promise<LocalListener> {
  if (Buffer.byteLength(path) > MAXIMUM_PATH || path === '') {
    throw new CliError(`The path of a Unix socket has 1 to ${MAXIMUM_PATH} bytes, ${inert(path)} has not.`)
  }
  await removeStale(path)
  const connections = new Connections()
  try {
    await connections.listenOnPath(path)
  } catch (error) {
    connections.close()
    // libuv says EACCES for a folder that is not there.
    const why = existsSync(dirname(path)) ? (error as Error).message : 'there is no such folder'
    throw new CliError(`Cannot listen on ${inert(path)}: ${why}`, undefined, { cause: error })
  }
  // Node removes the file when it closes the socket, but is not asked when the process ends by a signal.
  const remove = () => {
    try {
      unlinkSync(path)
    } catch {
      // It is gone.
    }
  }
  process.once('exit', remove)
  let open = true
  return {
    label: path,
    address: path,
    port: undefined,
    onConnection: take => connections.onConnection(take),
    close: () => {
      if (!open) return
      open = false
      process.off('exit', remove)
      connections.close()
    },
  }
}

/** What a process that was killed has left behind; anything else is somebody's. */
async function removeStale(path: string): Promise<void> {
  let isSocket: boolean
  try {
    isSocket = (await lstat(path)).isSocket()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw new CliError(`Cannot use ${inert(path)}: ${(error as Error).message}`)
  }
  if (!isSocket)
    throw new CliError(`${inert(path)} is there already and is no socket: it is not overwritten.`)
  const refused = await new Promise<boolean>(resolve => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(false)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
  if (!refused) throw new CliError(`The socket ${inert(path)} is in use by another program.`)
  try {
    unlinkSync(path)
  } catch (error) {
    // In a folder like /tmp it may be somebody else's.
    throw new CliError(`Cannot use ${inert(path)}: ${(error as Error).message}`)
  }
}

function explainPort(error: ListenError, port: number): CliError {
  const host = error.host ?? ''
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const why = () => {
    switch (error.code) {
      case 'EADDRINUSE': {
        const owner = portOwner(port)
        return `port ${port} is in use${owner === undefined ? '' : ` by ${inert(owner)}`}. Choose another one, or 0 for a free one.`
      }
      case 'EACCES':
        return `port ${port} is for privileged programs only. Choose one above 1023.`
      case 'EADDRNOTAVAIL':
        return 'this machine has no such address.'
      default:
        return error.message
    }
  }
  return new CliError(`Cannot listen on ${where}: ${why()}`, undefined, { cause: error })
}
