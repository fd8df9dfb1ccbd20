import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { portOwner } from '@sallyport/protocol/transport/node-port-owner'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type LocalListener, listenLocally } from './local-listener.ts'

let directory: string
const undo: Array<() => unknown> = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-listener-'))
})

afterEach(async () => {
  for (const step of undo.splice(0)) await step()
  await rm(directory, { recursive: true, force: true })
})

async function listen(...args: Parameters<typeof listenLocally>): Promise<LocalListener> {
  const listener = await listenLocally(...args)
  undo.push(() => listener.close())
  return listener
}

async function occupy(host: string, port = 0): Promise<number> {
  const server: Server = createServer().listen(port, host)
  undo.push(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function dial(to: { host: string; port: number } | { path: string }): Promise<Socket> {
  const socket = connect(to)
  undo.push(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** Echoes, and says that it was asked. */
function echo(listener: LocalListener): Promise<void> {
  return new Promise(resolve =>
    listener.onConnection(socket => {
      socket.pipe(socket)
      resolve()
    }),
  )
}

async function answerTo(socket: Socket, text: string): Promise<string> {
  socket.end(text)
  let answer = ''
  for await (const chunk of socket) answer += chunk
  return answer
}

describe('a port', () => {
  test('is taken at both loopback addresses, with the number that the kernel chose', async () => {
    const listener = await listen({ port: 0 })
    expect(listener.port).toBeGreaterThan(0)
    expect(listener.label).toBe(`127.0.0.1:${listener.port}`)
    void echo(listener)
    for (const host of ['127.0.0.1', '::1']) {
      expect(await answerTo(await dial({ host, port: listener.port ?? 0 }), host)).toBe(host)
    }
  })

  test('is taken at the address that was asked for, and no other', async () => {
    const listener = await listen({ port: 0, bind: '127.0.0.3' })
    expect(listener.label).toBe(`127.0.0.3:${listener.port}`)
    await expect(dial({ host: '127.0.0.1', port: listener.port ?? 0 })).rejects.toThrow('ECONNREFUSED')
    const v6 = await listen({ port: 0, bind: '::1' })
    expect(v6.label).toBe(`[::1]:${v6.port}`)
    const any = await listen({ port: 0, bind: '*' })
    await dial({ host: '127.0.0.1', port: any.port ?? 0 })
  })

  test.each(['127.0.0.1', '::1'])('that is busy at %s fails with its number and who has it', async host => {
    const port = await occupy(host)
    const where = host === '::1' ? '[::1]' : host
    await expect(listenLocally({ port })).rejects.toThrow(
      `Cannot listen on ${where}:${port}: port ${port} is in use by `,
    )
    await expect(listenLocally({ port })).rejects.toThrow(`(pid ${process.pid})`)
    // Nothing of the attempt is left.
    await expect(dial({ host: host === '::1' ? '127.0.0.1' : '::1', port })).rejects.toThrow('ECONNREFUSED')
  })

  test('at an address that is not of this machine is refused', async () => {
    await expect(listenLocally({ port: 0, bind: '192.0.2.1' })).rejects.toThrow(
      'Cannot listen on 192.0.2.1:0: this machine has no such address.',
    )
  })

  test('keeps those waiting who connect before anybody is there, and what they sent', async () => {
    const listener = await listen({ port: 0 })
    const early = await dial({ host: '127.0.0.1', port: listener.port ?? 0 })
    early.write('early ')
    await echo(listener)
    expect(await answerTo(early, 'bird')).toBe('early bird')
  })

  test('is free again once it is closed, and those who waited are let go', async () => {
    const listener = await listen({ port: 0 })
    const early = await dial({ host: '127.0.0.1', port: listener.port ?? 0 })
    early.on('error', () => {})
    const closed = once(early, 'close')
    listener.close()
    listener.close()
    await closed
    await listen({ port: listener.port ?? 0 })
  })
})

describe('a Unix socket', () => {
  test('is its owner’s alone, and gone once closed', async () => {
    const path = join(directory, 's')
    const before = process.umask()
    const listener = await listen({ path })
    expect(process.umask()).toBe(before)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(listener).toMatchObject({ label: path, port: undefined })
    void echo(listener)
    expect(await answerTo(await dial({ path }), 'hello')).toBe('hello')
    listener.close()
    expect(existsSync(path)).toBe(false)
  })

  test('never replaces a file, nor the socket of a program that lives', async () => {
    const path = join(directory, 'file')
    await writeFile(path, 'precious')
    await expect(listenLocally({ path })).rejects.toThrow(`${path} is there already and is no socket`)
    expect(await readFile(path, 'utf8')).toBe('precious')
    const socket = join(directory, 'socket')
    await listen({ path: socket })
    await expect(listenLocally({ path: socket })).rejects.toThrow('is in use by another program')
    await dial({ path: socket })
  })

  test('replaces what a program that was killed has left', async () => {
    const path = join(directory, 's')
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`
    const child: ChildProcess = spawn(process.execPath, ['-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    if (child.stdout) await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(existsSync(path)).toBe(true)
    const listener = await listen({ path })
    void echo(listener)
    expect(await answerTo(await dial({ path }), 'mine now')).toBe('mine now')
  })

  test('has a path that fits', async () => {
    await expect(listenLocally({ path: `/${'x'.repeat(107)}` })).rejects.toThrow('1 to 107 bytes')
    await expect(listenLocally({ path: join(directory, 'none', 's') })).rejects.toThrow(
      'there is no such folder',
    )
  })
})

test('who has a port is nobody where nothing can be known', async () => {
  const port = await occupy('127.0.0.1')
  expect(portOwner(port)).toContain(`(pid ${process.pid})`)
  expect(portOwner(port, join(directory, 'nowhere'))).toBeUndefined()
  expect(portOwner(1)).toBeUndefined()
})
