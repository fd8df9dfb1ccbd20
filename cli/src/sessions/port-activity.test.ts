import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '@sallyport/protocol/bytes'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { encodeFlag } from '@sallyport/protocol/payloads'
import { MAXIMUM_STREAMS, SmuxSession } from '@sallyport/protocol/smux/session'
import type { SmuxStream } from '@sallyport/protocol/smux/stream'
import { afterEach, describe, expect, test } from 'vitest'
import { CliError } from '../errors.ts'
import { type LocalListener, listenLocally } from '../forwarding/local-listener.ts'
import { type PortFace, portKind } from './port-activity.ts'
import { readPortProperties } from './port-properties.ts'
import { type SceneOptions, SessionScene } from './session-scene.ts'

const PROPERTIES = { portNumber: '80', type: 'LocalPortForwarding', localPortNumber: '0' }

const undo: Array<() => unknown> = []
afterEach(async () => {
  for (const step of undo.splice(0)) await step()
})

async function setUp(options: SceneOptions = {}, face: Partial<PortFace> = {}) {
  const said: string[] = []
  const listener = await listenLocally({ port: 0 })
  const scene = new SessionScene(
    [
      portKind({
        signals: ['SIGINT'],
        listen: async () => listener,
        opened: ({ port }, id) => void said.push(`opened ${port} ${id}`),
        accepted: id => void said.push(`accepted ${id}`),
        leaving: () => void said.push('leaving'),
        ...face,
      }),
    ],
    { properties: PROPERTIES, ...options },
  )
  undo.push(() => {
    scene.close('')
    return scene.ended
  })
  return { scene, said, listener }
}

async function dial({ port }: LocalListener): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: port ?? 0, allowHalfOpen: true })
  undo.push(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

async function read(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', chunk => {
    text += chunk
  })
  await once(socket, 'end')
  return text
}

/** The agent's smux: answers each stream by what `serve` makes of its input, at the end of that. */
function serveStreams(scene: SessionScene, version: 1 | 2, onStream: (stream: SmuxStream) => void) {
  const smux = new SmuxSession({
    role: 'server',
    version,
    send: parts => scene.agent.sendParts(PayloadType.output, parts),
    onStream,
    onConsumed: () => scene.inputRoom(),
  })
  scene.onInput = payload => {
    smux.receive(payload)
    return true
  }
  scene.events.on('writable', () => smux.onRoom())
}

/** Echoes, with a mark in front. */
const echo = (stream: SmuxStream) => {
  stream.write(utf8('>'))
  stream.events = {
    data: chunk => {
      stream.write(chunk.slice())
      return true
    },
    end: () => stream.end(),
    reset: () => {},
    writable: () => {},
  }
}

describe('with our agent', () => {
  test('connections made before the node is there wait, with what they have sent', async () => {
    const { scene, said, listener } = await setUp()
    const early = await dial(listener)
    early.end('early')
    serveStreams(scene, 2, echo)
    expect(said).toEqual([])
    await scene.shakeHands()
    expect(await read(early)).toBe('>early')
    expect(said).toEqual([`opened ${listener.port} s-1`, 'accepted s-1'])
  })

  test('many at once, and half-closed, each get their own', async () => {
    const { scene, said, listener } = await setUp()
    serveStreams(scene, 2, echo)
    await scene.shakeHands()
    const answers = Array.from({ length: 20 }, async (_, i) => {
      const socket = await dial(listener)
      socket.end(`${i} `.repeat(10_000))
      return await read(socket)
    })
    expect(await Promise.all(answers)).toEqual(
      Array.from({ length: 20 }, (_, i) => `>${`${i} `.repeat(10_000)}`),
    )
    expect(said.filter(line => line.startsWith('accepted'))).toHaveLength(1)
  })

  test('a refusal is told once for each reason, made safe; a reset of the target’s is not told', async () => {
    const { scene, listener } = await setUp()
    const reasons = ['cannot connect to a:1: refused', 'read ECONNRESET', 'cannot connect to \x1b[2J\n$ b:2']
    serveStreams(scene, 2, stream => stream.reset(reasons[((stream.id - 3) / 2) % 3]))
    await scene.shakeHands()
    for (let i = 0; i < 6; i++) {
      const socket = await dial(listener)
      await new Promise(resolve => socket.once('close', resolve))
    }
    expect(scene.terminal.notices).toEqual([
      '[The node cannot connect to a:1: refused]',
      '[The node cannot connect to ?[2J?$ b:2]',
    ])
  })

  test('go on where the connection to the server breaks', async () => {
    const { scene, listener } = await setUp()
    serveStreams(scene, 2, echo)
    await scene.shakeHands()
    const socket = await dial(listener)
    socket.write('before ')
    await once(socket, 'data')
    scene.cut('client')
    socket.end('after')
    expect(await read(socket)).toMatch(/after$/)
    expect(scene.dials).toBe(2)
  })

  test('Ctrl-C tells the node and the server, and is an ordinary end', async () => {
    const { scene, said, listener } = await setUp()
    serveStreams(scene, 2, echo)
    await scene.shakeHands()
    const socket = await dial(listener)
    await once(socket, 'data')
    scene.signal('SIGINT')
    expect(await scene.ended).toEqual({ reason: '', exitCode: 0 })
    expect(scene.flags).toEqual([PayloadFlag.terminateSession])
    expect(scene.terminated).toBe(1)
    expect(said.at(-1)).toBe('leaving')
    await expect(dial(listener)).rejects.toThrow('ECONNREFUSED')
  })

  test('a local end that cannot be had ends the session with the reason', async () => {
    const { scene, listener } = await setUp(
      {},
      { listen: () => Promise.reject(new CliError('port 80 is in use')) },
    )
    listener.close()
    await scene.shakeHands()
    // The gateway ends the session as the agent obeys; the reason stays ours.
    await scene.until(() => scene.flags.length > 0)
    scene.close('')
    expect(await scene.ended).toEqual({ reason: 'port 80 is in use', exitCode: 1 })
    expect(scene.flags).toEqual([PayloadFlag.terminateSession])
  })

  test.each([[[]], [{}], [true], [{ toString: 1, valueOf: 1 }]])('a port that is %j is none', async json => {
    expect(readPortProperties({ portNumber: json, localPortNumber: json, host: 'a' })).toEqual({
      destination: 'a:NaN',
      localPort: Number.NaN,
      localPath: undefined,
    })
  })

  test('a connection too many to a Unix socket is closed, and all others go on', async () => {
    const listener = await listenLocally({ path: join(tmpdir(), `sallyport-${process.pid}.sock`) })
    const { scene } = await setUp({}, { listen: async () => listener })
    serveStreams(scene, 2, echo)
    await scene.shakeHands()
    const sockets: Socket[] = []
    for (let i = 0; i <= MAXIMUM_STREAMS; i++) {
      const socket = connect({ path: listener.label, allowHalfOpen: true })
      undo.push(() => socket.destroy())
      sockets.push(socket)
      await once(socket, 'connect')
    }
    await scene.terminal.untilNotice()
    expect(scene.terminal.notices).toEqual([
      `[The node takes no more than ${MAXIMUM_STREAMS} connections at once]`,
    ])
    const [first, last] = [sockets[0], sockets.at(-1)]
    if (first === undefined || last === undefined) throw new Error('there are none')
    expect(await read(last)).toBe('')
    first.end('one')
    expect(await read(first)).toBe('>one')
  })

  test('what is no smux ends the session with the reason', async () => {
    const { scene } = await setUp()
    await scene.shakeHands()
    scene.agent.send(PayloadType.output, utf8('HTTP/1.1 200 OK'))
    expect(await scene.ended).toMatchObject({
      reason: expect.stringMatching(/^The node's end of the tunnel is broken: smux version 72/),
      exitCode: 1,
    })
    expect(scene.terminated).toBe(1)
  })
})

describe('with a stock agent', () => {
  test('the stream is smux version 1, and a refusal is a flag that names nothing', async () => {
    const { scene, listener } = await setUp({ ownAgent: false, agentVersion: '3.3.0.0' })
    await scene.shakeHands()
    const socket = await dial(listener)
    socket.write('GET')
    await scene.until(() => scene.received.length >= 19)
    // SYN of stream 3, then PSH with 3 bytes (data-plane.md 15.4).
    expect(scene.received.toString('hex')).toBe(`0100000003000000${'0102030003000000'}${'474554'}`)
    for (let i = 0; i < 2; i++)
      scene.agent.sendWhole(PayloadType.flag, encodeFlag(PayloadFlag.connectToPortError))
    // FIN.
    scene.agent.send(PayloadType.output, Uint8Array.from([1, 1, 0, 0, 3, 0, 0, 0]))
    expect(await read(socket)).toBe('')
    expect(scene.terminal.notices).toEqual([
      '[The node cannot connect to localhost:80; the log of its agent says why]',
    ])
  })
})

describe('with an agent that is too old for smux', () => {
  const OLD = { ownAgent: false, agentVersion: '3.0.196.0' }

  test('what the server says first waits for the first connection', async () => {
    const { scene, listener } = await setUp(OLD)
    await scene.shakeHands()
    scene.agent.send(PayloadType.output, utf8('220 hello'))
    const socket = await dial(listener)
    expect(String((await once(socket, 'data'))[0])).toBe('220 hello')
    socket.write('EHLO')
    await scene.until(() => scene.received.length === 4)
    expect(scene.received.toString()).toBe('EHLO')
  })

  test('one connection follows the other, with a flag between, and gets none of its output', async () => {
    const { scene, listener } = await setUp(OLD)
    await scene.shakeHands()
    const first = await dial(listener)
    first.write('one')
    const second = await dial(listener)
    second.write('two')
    await scene.until(() => scene.received.length === 3)
    first.destroy()
    await scene.until(() => scene.flags.length === 1)
    expect(scene.flags).toEqual([PayloadFlag.disconnectToPort])
    await scene.until(() => scene.received.length === 6)
    expect(scene.received.toString()).toBe('onetwo')
    scene.agent.send(PayloadType.output, utf8('for two'))
    expect(String((await once(second, 'data'))[0])).toBe('for two')
  })
})
