import { once } from 'node:events'
import type { Socket } from 'node:net'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { describe, expect, test } from 'vitest'
import { connectToFirst } from './connect.ts'
import { closedPort, heldDials, pattern, portScenes, readAll, readSome } from './port-scene.ts'

const { open, target } = portScenes()
const MIB = 1024 * 1024

describe('a raw session, as for SSH', () => {
  test('connects at once and carries bytes both ways', async () => {
    const ssh = await target(socket => socket.write('SSH-2.0-sshd\r\n'))
    const scene = open({ portNumber: String(ssh.port) })
    expect(Buffer.from(await scene.take(14)).toString()).toBe('SSH-2.0-sshd\r\n')
    scene.send('SSH-2.0-client\r\n')
    expect(await readSome(await ssh.accepted(), 16)).toBe('SSH-2.0-client\r\n')
  })

  test('is over when the target is, after all that it said', async () => {
    const data = pattern(3 * MIB)
    const file = await target(socket => socket.end(data))
    const scene = open({ portNumber: file.port, host: '127.0.0.1' })
    expect(await scene.ended).toEqual({ status: 'Success', output: '', unheard: false })
    expect(Buffer.from(await scene.take(data.length)).equals(data)).toBe(true)
  })

  test('keeps what the client says before the connection is there', async () => {
    let release = () => {}
    const held = new Promise<void>(resolve => {
      release = resolve
    })
    const ssh = await target()
    const scene = open(
      { portNumber: String(ssh.port) },
      {
        onWritable: () => pour(),
        network: {
          connect: async (...parameters) => {
            await held
            return connectToFirst(...parameters)
          },
        },
      },
    )
    const data = pattern(MIB)
    let offset = 0
    const pour = () => {
      while (offset < data.length && scene.client.writable) {
        scene.send(data.subarray(offset, offset + 16 * 1024))
        offset += 16 * 1024
      }
    }
    pour()
    // More than the agent keeps: the rest has to wait at the client.
    expect(offset).toBeLessThan(data.length)
    release()
    const socket = await ssh.accepted()
    const got: Buffer[] = []
    let length = 0
    while (length < data.length) {
      const [chunk] = (await once(socket, 'data')) as [Buffer]
      got.push(chunk)
      length += chunk.length
    }
    expect(Buffer.concat(got).equals(data)).toBe(true)
  })

  test('that cannot connect fails in words, with host and port', async () => {
    const port = await closedPort()
    const scene = open({ portNumber: String(port), host: '127.0.0.1' })
    expect(await scene.ended).toEqual({
      status: 'Failed',
      output: `Unable to connect to specified port: 127.0.0.1:${port}: connection refused`,
      unheard: false,
    })
  })

  test('to a denied destination fails, and connects to nobody', async () => {
    const dialled: string[] = []
    const scene = open(
      { portNumber: '80', host: 'metadata.evil.org' },
      {
        network: {
          resolve: async () => ['169.254.169.254'],
          connect: async ([address]) => {
            dialled.push(address?.text ?? '')
            throw new Error('dialled')
          },
        },
      },
    )
    const { status, output } = await scene.ended
    expect(status).toBe('Failed')
    expect(output).toContain('Forwarding to IP address 169.254.169.254 is forbidden.')
    expect(dialled).toEqual([])
  })

  test('hands the end of the input on, and what the target says after it', async () => {
    const sum = await target(async socket => {
      const all = await readAll(socket)
      socket.end(`${all.length} bytes`)
    })
    const scene = open({ portNumber: String(sum.port) }, { ownClient: true })
    scene.send(pattern(200_000))
    scene.flag(PayloadFlag.endOfInput)
    expect(await scene.ended).toMatchObject({ status: 'Success' })
    expect(Buffer.from(await scene.take(12)).toString()).toBe('200000 bytes')
  })

  test('hands the end of the input on in the middle of a connection', async () => {
    const cat = await target(socket => socket.pipe(socket))
    const scene = open({ portNumber: String(cat.port) }, { ownClient: true })
    scene.send('x')
    expect(Buffer.from(await scene.take(1)).toString()).toBe('x')
    scene.flag(PayloadFlag.endOfInput)
    expect(await scene.ended).toMatchObject({ status: 'Success' })
  })

  test('takes no more than its bound, while it connects and while the target does not read', async () => {
    const { network, releases, until } = heldDials()
    const deaf = await target()
    const scene = open({ portNumber: String(deaf.port) }, { network })
    const chunk = Buffer.alloc(16 * 1024)
    const fill = () => {
      let taken = 0
      while (taken < 64 * MIB && scene.session.deliver(PayloadType.output, chunk)) taken += chunk.length
      return taken
    }
    expect(fill()).toBe(256 * 1024)
    await until(1)
    releases[0]?.()
    await deaf.accepted()
    // Until the buffers of the system are full, too.
    let more = 0
    for (let taken = -1; taken !== 0; more += taken) {
      await new Promise(setImmediate)
      taken = fill()
    }
    expect(more).toBeLessThan(64 * MIB)
    // This one has to wait until there is room again.
    scene.send('the end')
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate)
    let heard = 0
    const socket = deaf.sockets[0]
    socket?.on('data', data => {
      heard += data.length
    })
    while (heard < 256 * 1024 + more + 7) await once(socket as Socket, 'data')
  })

  test('that breaks says so', async () => {
    const ssh = await target()
    const scene = open({ portNumber: String(ssh.port) })
    scene.send('x')
    const socket = await ssh.accepted()
    await readSome(socket, 1)
    socket.resetAndDestroy()
    expect(await scene.ended).toMatchObject({
      status: 'Failed',
      output: `The connection to localhost:${ssh.port} broke: connection reset by peer`,
    })
  })

  test('does not read on while the client does not', async () => {
    const stream = await target(async socket => {
      // Much more than all buffers on the way.
      const chunk = Buffer.alloc(MIB)
      for (let i = 0; i < 64 && socket.write(chunk); i++);
    })
    const scene = open({ portNumber: String(stream.port) })
    scene.reading = false
    const socket = await stream.accepted()
    for (let i = 0; i < 200; i++) await new Promise(resolve => setImmediate(resolve))
    expect(socket.writableLength).toBeGreaterThan(0)
    expect(scene.client.bufferedBytes).toBeLessThan(MIB)
    scene.reading = true
    scene.client.resume()
    await scene.take(1)
  })

  test('ends for the flag TerminateSession, even while it is connecting', async () => {
    const aborted: boolean[] = []
    const scene = open(
      { portNumber: '22' },
      {
        network: {
          connect: (_addresses, _port, signal) =>
            new Promise((_, reject) => {
              signal.addEventListener('abort', () => {
                aborted.push(true)
                reject(signal.reason)
              })
            }),
        },
      },
    )
    scene.send('SSH-2.0-client\r\n')
    scene.flag(PayloadFlag.terminateSession)
    expect(await scene.ended).toEqual({ status: 'Success', output: '', unheard: true })
    expect(aborted).toEqual([true])
  })

  test('leaves no connection behind when it is stopped', async () => {
    const ssh = await target()
    const scene = open({ portNumber: String(ssh.port) })
    scene.send('x')
    const socket = await ssh.accepted()
    await readSome(socket, 1)
    await scene.session.stop()
    await readAll(socket)
  })
})

describe('a basic session, for a client older than 1.1.70', () => {
  const old = { clientVersion: '1.1.61.0' }
  const properties = (port: number) => ({ portNumber: String(port), type: 'LocalPortForwarding' })

  test('has one connection after the other', async () => {
    const echo = await target(socket => socket.on('data', data => socket.write(data)))
    const scene = open(properties(echo.port), old)
    for (const text of ['first', 'second', 'third']) {
      scene.send(text)
      expect(Buffer.from(await scene.take(text.length)).toString()).toBe(text)
      const socket = await echo.accepted()
      scene.flag(PayloadFlag.disconnectToPort)
      if (!socket.readableEnded) await once(socket, 'end')
    }
    expect(echo.sockets.length).toBe(3)
  })

  test('writes out what the client said before it left, and tells the next one nothing of the answer', async () => {
    const log: string[] = []
    const late = await target(socket => {
      socket.on('data', data => log.push(data.toString()))
      socket.on('end', () => socket.end('an answer to nobody'))
    })
    const scene = open(properties(late.port), old)
    scene.send('job one')
    scene.flag(PayloadFlag.disconnectToPort)
    const socket = await late.accepted()
    await once(socket, 'close')
    expect(log.join('')).toBe('job one')
    scene.send('job two')
    const second = await late.accepted()
    await once(second, 'data')
    expect(scene.received().length).toBe(0)
  })

  test('connects again for the next data when the target closed', async () => {
    const oneShot = await target(socket => socket.once('data', data => socket.end(`got ${data}`)))
    const scene = open(properties(oneShot.port), old)
    scene.send('a')
    expect(Buffer.from(await scene.take(5)).toString()).toBe('got a')
    const socket = await oneShot.accepted()
    if (!socket.destroyed) await once(socket, 'close')
    scene.send('b')
    expect(Buffer.from(await scene.take(5)).toString()).toBe('got b')
  })

  test('fails when it cannot connect', async () => {
    const port = await closedPort()
    const scene = open(properties(port), old)
    expect(await scene.ended).toMatchObject({
      status: 'Failed',
      output: `Unable to connect to specified port: localhost:${port}: connection refused`,
    })
    // A basic client would hand it to the connection as data (data-plane.md 15.3).
    expect(scene.flags).toEqual([])
  })

  test('ends for the flag TerminateSession', async () => {
    const ssh = await target()
    const scene = open(properties(ssh.port), old)
    scene.flag(PayloadFlag.terminateSession)
    expect(await scene.ended).toMatchObject({ status: 'Success', unheard: true })
  })
})
