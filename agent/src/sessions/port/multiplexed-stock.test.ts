import { once } from 'node:events'
import type { Socket } from 'node:net'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { SESSION_BUFFER } from '@sallyport/protocol/smux/session'
import { describe, expect, test } from 'vitest'
import {
  closedPort,
  heldDials,
  type PortScene,
  pattern,
  portScenes,
  readAll,
  readSome,
  type SceneOptions,
} from './port-scene.ts'

const scenes = portScenes()
const { target } = scenes
const open = (properties: object, options?: SceneOptions) =>
  scenes.open({ type: 'LocalPortForwarding', ...properties }, options)
const KIB = 1024
const MIB = 1024 * KIB
const echo = (socket: Socket) => socket.pipe(socket)

describe('with a stock plugin: smux version 1, byte by byte', () => {
  const frame = (command: number, streamId: number, data: Uint8Array | string = '') => {
    const bytes = Buffer.from(data)
    const header = Buffer.from([1, command, 0, 0, 0, 0, 0, 0])
    header.writeUInt16LE(bytes.length, 2)
    header.writeUInt32LE(streamId, 4)
    return Buffer.concat([header, bytes])
  }
  const syn = (id: number) => frame(0, id)
  const fin = (id: number) => frame(1, id)
  const psh = (id: number, data: Uint8Array | string) => frame(2, id, data)

  /** The next frame that the agent sends. */
  async function nextFrame(scene: PortScene): Promise<{ command: number; id: number; data: string }> {
    const header = Buffer.from(await scene.take(8))
    expect(header[0]).toBe(1)
    const data = Buffer.from(await scene.take(header.readUInt16LE(2)))
    return { command: header[1] ?? 0, id: header.readUInt32LE(4), data: data.toString('latin1') }
  }
  /** Everything of one stream up to its end. */
  async function untilFin(scene: PortScene, id: number): Promise<string> {
    let text = ''
    for (;;) {
      const next = await nextFrame(scene)
      expect(next.id).toBe(id)
      if (next.command === 1) return text
      text += next.data
    }
  }

  test('a connection is opened, used and closed by the client', async () => {
    const server = await target(echo)
    const scene = open({ portNumber: String(server.port), host: '', localPortNumber: '15432' })
    // As seen: 01 00 0000 03000000, then 01 02 0500 03000000 "hello".
    scene.send(Buffer.from('0100000003000000', 'hex'))
    scene.send(Buffer.from('010205000300000068656c6c6f', 'hex'))
    expect(await nextFrame(scene)).toEqual({ command: 2, id: 3, data: 'hello' })
    const socket = await server.accepted()
    scene.send(Buffer.from('0101000003000000', 'hex'))
    if (!socket.readableEnded) await once(socket, 'end')
    if (!socket.destroyed) await once(socket, 'close')
  })

  test('frames come cut anywhere, and two streams at once', async () => {
    const server = await target(echo)
    const scene = open({ portNumber: String(server.port) })
    const bytes = Buffer.concat([syn(3), psh(3, 'one'), syn(5), psh(5, 'two')])
    for (const byte of bytes) scene.send(Buffer.of(byte))
    const answers = [await nextFrame(scene), await nextFrame(scene)]
    expect(answers).toEqual(
      expect.arrayContaining([
        { command: 2, id: 3, data: 'one' },
        { command: 2, id: 5, data: 'two' },
      ]),
    )
  })

  test('the target says all it has to say, then the stream ends', async () => {
    const data = pattern(2 * MIB)
    const server = await target(socket => socket.end(data))
    const scene = open({ portNumber: String(server.port) })
    scene.send(syn(3))
    expect(Buffer.from(await untilFin(scene, 3), 'latin1').equals(data)).toBe(true)
  })

  test('a stock client that goes on ended streams, and keep-alives, hurt nobody', async () => {
    const server = await target(echo)
    const scene = open({ portNumber: String(server.port) })
    scene.send(Buffer.concat([frame(3, 0), psh(77, 'to nobody'), fin(79), syn(3), psh(3, 'x')]))
    expect(await nextFrame(scene)).toEqual({ command: 2, id: 3, data: 'x' })
  })

  test('a refused connection is told by the flag ConnectToPortError, then ends its stream only', async () => {
    const port = await closedPort()
    const scene = open({ portNumber: String(port) })
    scene.send(syn(3))
    expect(await nextFrame(scene)).toEqual({ command: 1, id: 3, data: '' })
    expect(scene.flags).toEqual([PayloadFlag.connectToPortError])
    scene.send(syn(5))
    expect(await nextFrame(scene)).toEqual({ command: 1, id: 5, data: '' })
    expect(scene.flags.length).toBe(2)
    expect(scene.log).toEqual([`connection refused: cannot connect to localhost:${port}: connection refused`])
  })

  test('what a client sends before it closes is delivered, even while the connection is being opened', async () => {
    const { network, releases, until } = heldDials()
    const server = await target()
    const scene = open({ portNumber: String(server.port) }, { network })
    scene.send(Buffer.concat([syn(3), psh(3, 'last words'), fin(3)]))
    await until(1)
    releases[0]?.()
    expect((await readAll(await server.accepted())).toString()).toBe('last words')
  })

  test('what a client sends while its connections are being opened is bounded', async () => {
    const { network, releases, until } = heldDials()
    const server = await target()
    const scene = open({ portNumber: String(server.port) }, { network })
    const data = pattern(60 * KIB)
    let sent = 0
    while (sent < 1000 && scene.session.deliver(PayloadType.output, syn(3 + 2 * sent))) {
      scene.session.deliver(PayloadType.output, psh(3 + 2 * sent, data))
      sent++
    }
    expect(sent * data.length).toBeLessThanOrEqual(SESSION_BUFFER + data.length)
    await until(sent)
    releases[0]?.()
    const socket = await server.accepted()
    expect((await readSome(socket, data.length)).length).toBe(data.length)
  })

  test('a client that closes without a word cancels the connection that is being opened', async () => {
    const { network, cancelled, until } = heldDials()
    const server = await target()
    const scene = open({ portNumber: String(server.port) }, { network })
    scene.send(syn(3))
    await until(1)
    scene.send(Buffer.concat([fin(3), syn(5)]))
    await until(2)
    expect(cancelled.length).toBe(1)
    expect(server.sockets.length).toBe(0)
  })

  test('TerminateSession ends it all, also what is being opened', async () => {
    const { network, releases, cancelled, until } = heldDials()
    const server = await target(echo)
    const scene = open({ portNumber: String(server.port) }, { network })
    scene.send(Buffer.concat([syn(3), psh(3, 'x'), syn(5)]))
    await until(2)
    releases[0]?.()
    await nextFrame(scene)
    const socket = await server.accepted()
    scene.flag(PayloadFlag.disconnectToPort)
    scene.flag(PayloadFlag.terminateSession)
    expect(await scene.ended).toEqual({ status: 'Success', output: '', unheard: true })
    expect(cancelled.length).toBe(1)
    await readAll(socket)
  })

  test('what is no smux ends the session, with the reason', async () => {
    const scene = open({ portNumber: '80' })
    const deliver = () => scene.session.deliver(PayloadType.output, Buffer.from('GET / HTTP/1.1\r\n'))
    expect(deliver).toThrow(/smux/)
  })

  test('a destination that is denied fails the session at once', async () => {
    const scene = open({ portNumber: '80', host: '169.254.169.254' })
    const { status, output } = await scene.ended
    expect(status).toBe('Failed')
    expect(output).toContain('Forwarding to IP address 169.254.169.254 is forbidden.')
  })

  test('a name that cannot be resolved yet does not', async () => {
    let known = false
    const server = await target(echo)
    const resolve = async () => {
      if (!known) throw Object.assign(new Error('getaddrinfo ENOTFOUND'), { errno: -3008, code: 'ENOTFOUND' })
      return ['127.0.0.1']
    }
    const scene = open({ portNumber: String(server.port), host: 'later.internal' }, { network: { resolve } })
    scene.send(syn(3))
    expect(await nextFrame(scene)).toMatchObject({ command: 1, id: 3 })
    known = true
    scene.send(Buffer.concat([syn(5), psh(5, 'now')]))
    expect(await nextFrame(scene)).toEqual({ command: 2, id: 5, data: 'now' })
  })
})

describe('a hostile client', () => {
  const syn = (version: number, id: number) => {
    const header = Buffer.from([version, 0, 0, 0, 0, 0, 0, 0])
    header.writeUInt32LE(id, 4)
    return header
  }

  test.each([1, 2])(
    'that opens 100,000 streams of version %i opens few connections, and is thrown out',
    async version => {
      const { network, releases } = heldDials()
      const scene = open({ portNumber: '80' }, { network, ownClient: version === 2 })
      const flood = Buffer.concat(Array.from({ length: 100_000 }, (_, i) => syn(version, 3 + 2 * i)))
      expect(() => {
        for (let i = 0; i < flood.length; i += KIB)
          scene.session.deliver(PayloadType.output, flood.subarray(i, i + KIB))
      }).toThrow(/smux|peer/)
      expect(releases.length).toBeLessThanOrEqual(1024)
    },
  )

  test.each([1, 2])(
    'that has streams of version %i refused without end and hears no answer is thrown out',
    async version => {
      const resolve = async () => {
        throw new Error('no such host')
      }
      const options = { ownClient: version === 2, network: { resolve } }
      const scene = open({ portNumber: '80', host: 'name.org' }, options)
      scene.client.disconnected()
      const flood = async () => {
        for (let i = 0; i < 100_000; i += 100) {
          const streams = Array.from({ length: 100 }, (_, j) => syn(version, 3 + 2 * (i + j)))
          scene.session.deliver(PayloadType.output, Buffer.concat(streams))
          await new Promise(setImmediate)
        }
      }
      await expect(flood()).rejects.toThrow('the peer goes on opening streams where 1024 are open')
    },
  )

  test.each([
    ['frames of the other version', '0200000003000000'],
    ['an unknown command', '0109000003000000'],
    ['a SYN with data', '010001000300000041'],
    ['a stream of the server', '0100000002000000'],
    ['the same stream twice', '01000000030000000100000003000000'],
  ])('that sends %s is told so', async (_, hex) => {
    const { network } = heldDials()
    const scene = open({ portNumber: '80' }, { network })
    expect(() => scene.session.deliver(PayloadType.output, Buffer.from(hex, 'hex'))).toThrow(/smux|stream/)
  })
})
