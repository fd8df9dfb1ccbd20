import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, createConnection, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NetworkNamespace, reaches } from './network-namespace.ts'
import { connect, type RemoteShell, startSession } from './remote-shell.ts'
import { Service, type Stack, startStack } from './stack.ts'

// Nodes in networks of their own, whose firewalls leave them hardly any way out and none in. Needs root, for the
// network namespaces.

let walled: NetworkNamespace
let proxied: NetworkNamespace
let stack: Stack

beforeAll(async () => {
  walled = await NetworkNamespace.create()
  proxied = await NetworkNamespace.create()
  const names = ['--host-name', walled.outside, '--host-name', proxied.outside]
  stack = await startStack({ nodes: 0, serverArguments: ['--listen', '0.0.0.0:0', ...names] })
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
  await walled?.[Symbol.asyncDispose]()
  await proxied?.[Symbol.asyncDispose]()
})

test('a node that nobody can connect to gives a shell to whoever may have one', async () => {
  const somethingThatListens = listenIn(walled)
  try {
    await somethingThatListens.waitForLine(/^listening$/)
    expect(await reaches(walled.inside, 7000)).toBe(true)
    await walled.dropInbound()
    expect(await reaches(walled.inside, 7000)).toBe(false)

    const endpoint = `https://${walled.outside}:${stack.httpsPort}`
    const node = await stack.addNode('walled', { endpoint, through: walled.through })
    await using ours = await connect(stack, [node.id])
    expect(await addresses(ours)).toContain(walled.inside)
    await using theirs = await startSession(stack)
    expect(await addresses(theirs)).toContain(walled.inside)
    expect(await reaches(walled.inside, 7000)).toBe(false)
  } finally {
    await somethingThatListens.stop()
  }
})

test('a node that reaches nothing but an HTTP proxy gives a shell through it', async () => {
  await using proxy = await HttpProxy.listen(proxied.outside)
  await proxied.dropInbound()
  await proxied.allowOutboundOnlyTo(proxy.port)
  expect(await reaches(proxied.outside, stack.httpsPort, proxied.through)).toBe(false)

  const endpoint = `https://${proxied.outside}:${stack.httpsPort}`
  const env = { https_proxy: `http://${proxied.outside}:${proxy.port}`, no_proxy: '', NO_PROXY: '' }
  const node = await stack.addNode('proxied', { endpoint, through: proxied.through, env })
  const beforeTheSession = proxy.tunnels.length
  await using shell = await connect(stack, [node.id])
  expect(await addresses(shell)).toContain(proxied.inside)
  expect(proxy.tunnels.length).toBeGreaterThan(beforeTheSession)
  expect([...new Set(proxy.tunnels)]).toEqual([`${proxied.outside}:${stack.httpsPort}`])
})

async function addresses(shell: RemoteShell): Promise<string> {
  return await shell.run('ip -4 -oneline address show scope global')
}

/** A program in the namespace that takes connections on port 7000. */
function listenIn(namespace: NetworkNamespace): Service {
  const script = "require('net').createServer().listen(7000, () => console.log('listening'))"
  const [file = '', ...args] = [...namespace.through, process.execPath, '-e', script]
  return new Service(file, args, {})
}

/** A proxy that takes CONNECT and nothing else. */
class HttpProxy implements AsyncDisposable {
  /** The destinations it was asked for. */
  readonly tunnels: string[] = []
  readonly #server = createServer((_request, response) => response.writeHead(405).end())
  readonly #sockets = new Set<Duplex>()

  static async listen(host: string): Promise<HttpProxy> {
    const proxy = new HttpProxy()
    proxy.#server.on('connect', (request, socket) => proxy.#tunnel(request.url ?? '', socket as Socket))
    proxy.#server.listen(0, host)
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  #tunnel(destination: string, client: Socket): void {
    this.tunnels.push(destination)
    const [host = '', port] = destination.split(':')
    const server = createConnection({ host, port: Number(port) }, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      client.pipe(server).pipe(client)
    })
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => this.#sockets.delete(socket))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    const closed = once(this.#server, 'close')
    this.#server.close()
    await closed
  }
}
