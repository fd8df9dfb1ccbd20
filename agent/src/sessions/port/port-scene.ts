import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { concatBytes } from '@sallyport/protocol/bytes'
import { DataChannel } from '@sallyport/protocol/data-channel'
import { limitsOf, SessionType } from '@sallyport/protocol/handshake'
import { PayloadType } from '@sallyport/protocol/message-types'
import { encodeFlag } from '@sallyport/protocol/payloads'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { afterEach } from 'vitest'
import { connectToFirst } from './connect.ts'
import type { Network } from './destination.ts'
import { DestinationRules } from './destination-rules.ts'
import { PortSession } from './port-session.ts'

// For tests: a port session with a client at the other end of a data channel in memory, and targets to connect to.

const OWN_LIMITS = limitsOf({ payload: 64 * 1024, window: 1024 * 1024 })

type Ended = { status: string; output: string; unheard: boolean }

export type PortScene = {
  session: PortSession
  /** The client's end; what it sends goes to the session. */
  client: DataChannel
  ended: Promise<Ended>
  /** Payloads of the flags that came. */
  flags: number[]
  /** What the agent wrote into its log. */
  log: string[]
  /** All that came as data and was not taken yet. */
  received: () => Uint8Array
  /** The next bytes from the session, as soon as there are so many. */
  take: (count: number) => Promise<Uint8Array>
  send: (data: Uint8Array | string) => void
  flag: (flag: number) => void
  /** False from here on: the client does not read. */
  reading: boolean
}

export type SceneOptions = {
  ownClient?: boolean
  clientVersion?: string
  rules?: DestinationRules
  network?: Network
  /** What the client does with data in place of keeping it for `take`. */
  onData?: (data: Uint8Array) => boolean
  onWritable?: () => void
}

/** Starts a session whose document has these properties, its handshake done. */
function openPortScene(properties: object, options: SceneOptions = {}): PortScene {
  const { ownClient = false, clientVersion = '1.2.764.0', rules = new DestinationRules(), network } = options
  let chunks: Uint8Array[] = []
  let waiting: (() => void) | undefined
  let onEnded: (ended: Ended) => void = () => {}
  const flags: number[] = []
  const log: string[] = []

  const end = (role: 'agent' | 'client', other: () => DataChannel, callbacks: Callbacks): DataChannel =>
    new DataChannel({
      role,
      crypto: nodeCrypto,
      now: Date.now,
      transmit: frame =>
        setImmediate(() => {
          other().receive(frame)
          other().flush()
        }),
      ...callbacks,
    })
  const agent = end('agent', () => client, {
    deliver: (type, payload) => session.deliver(type, payload),
    onWritable: () => session.onWritable(),
  })
  const client = end('client', () => agent, {
    deliver: (type, payload) => {
      if (type === PayloadType.flag) flags.push(payload[3] ?? 0)
      if (type !== PayloadType.output) return true
      if (!scene.reading) return false
      if (options.onData !== undefined) return options.onData(payload)
      chunks.push(payload)
      waiting?.()
      return true
    },
    onWritable: () => options.onWritable?.(),
  })
  const session = new PortSession(
    { schemaVersion: '1.0', sessionType: SessionType.port, inputs: undefined, properties },
    {
      channel: agent,
      task: { DocumentName: 'Port', SessionId: 's-1', DocumentContent: {} } as never,
      asRoot: false,
      stateDirectory: '/nonexistent',
      env: {},
      destinations: rules,
      log: (event, details) => log.push(`${event}: ${details?.reason}`),
      onInputRoom: () => {
        agent.resume()
        agent.flush()
      },
      onEnd: (status, output, unheard) => onEnded({ status, output, unheard: unheard !== undefined }),
    },
    network,
  )
  const received = () => concatBytes(chunks)
  const scene: PortScene = {
    session,
    client,
    flags,
    log,
    received,
    reading: true,
    ended: new Promise(resolve => {
      onEnded = resolve
    }),
    take: async count => {
      while (received().length < count) {
        await new Promise<void>(resolve => {
          waiting = resolve
        })
      }
      const all = received()
      chunks = [all.subarray(count)]
      return all.subarray(0, count)
    },
    send: data => void client.send(PayloadType.output, Buffer.from(data)),
    flag: flag => client.sendWhole(PayloadType.flag, encodeFlag(flag)),
  }
  for (const channel of [agent, client]) {
    if (ownClient) channel.agree(OWN_LIMITS)
    channel.connected()
  }
  session.start({ ownClient, clientVersion })
  return scene
}

type Callbacks = { deliver: (type: number, payload: Uint8Array) => boolean; onWritable: () => void }

export type Target = {
  port: number
  /** Every connection so far. */
  sockets: Socket[]
  /** The next connection that has not been asked for. */
  accepted: () => Promise<Socket>
  close: () => Promise<void>
}

/** A server on the loopback whose connections the test plays by hand. */
async function openTarget(onSocket: (socket: Socket) => void = () => {}): Promise<Target> {
  const sockets: Socket[] = []
  const queue: Socket[] = []
  let waiting: (() => void) | undefined
  const server: Server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {})
    sockets.push(socket)
    queue.push(socket)
    onSocket(socket)
    waiting?.()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    accepted: async () => {
      for (;;) {
        const socket = queue.shift()
        if (socket !== undefined) return socket
        await new Promise<void>(resolve => {
          waiting = resolve
        })
      }
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
}

/** A port of the loopback on which nobody listens. */
export async function closedPort(): Promise<number> {
  const target = await openTarget()
  await target.close()
  return target.port
}

/** All that a socket says until its end. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', chunk => chunks.push(chunk))
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

/** The next bytes that a socket says. */
export async function readSome(socket: Socket, count: number): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  while (length < count) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    chunks.push(chunk)
    length += chunk.length
  }
  return Buffer.concat(chunks).toString()
}

/** Scenes and targets of one test file, gone after each test. */
export function portScenes() {
  const targets: Target[] = []
  const scenes: PortScene[] = []
  afterEach(async () => {
    for (const scene of scenes.splice(0)) await scene.session.stop()
    for (const target of targets.splice(0)) await target.close()
  })
  return {
    open(...parameters: Parameters<typeof openPortScene>): PortScene {
      const scene = openPortScene(...parameters)
      scenes.push(scene)
      return scene
    },
    async target(...parameters: Parameters<typeof openTarget>): Promise<Target> {
      const opened = await openTarget(...parameters)
      targets.push(opened)
      return opened
    },
  }
}

/** Dials that wait until they are let go, in any order. */
export function heldDials() {
  const releases: Array<() => void> = []
  const cancelled: unknown[] = []
  let waiting: (() => void) | undefined
  const network: Network = {
    connect: async (addresses, port, signal) => {
      signal.addEventListener('abort', () => cancelled.push(signal.reason))
      await new Promise<void>((resolve, reject) => {
        releases.push(resolve)
        signal.addEventListener('abort', () => reject(signal.reason))
        waiting?.()
      })
      return connectToFirst(addresses, port, signal)
    },
  }
  const until = async (count: number) => {
    while (releases.length < count) {
      await new Promise<void>(resolve => {
        waiting = resolve
      })
    }
  }
  return { network, releases, cancelled, until }
}

/** Bytes in which anything lost, doubled or swapped shows. */
export function pattern(size: number, seed = 0): Buffer {
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * 7 + (i >> 8) + seed) & 0xff
  return bytes
}
