import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import { connectThroughProxy, proxyFor } from './proxy.ts'

const closers: Array<() => void> = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

const startProxy = async (onConnect: (request: IncomingMessage, socket: Duplex) => void) => {
  const server: Server = createServer().on('connect', onConnect).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  return new URL(`http://user:p%40ss@127.0.0.1:${(server.address() as AddressInfo).port}`)
}

const firstData = async (socket: Socket) => String((await once(socket, 'data'))[0])

describe('connectThroughProxy', () => {
  test('asks for the destination by name, with the credentials of the URL', async () => {
    let asked: unknown
    const proxyUrl = await startProxy((request, socket) => {
      asked = [request.url, request.headers.host, request.headers['proxy-authorization']]
      socket.end('HTTP/1.1 200 OK\r\n\r\n')
    })
    const socket = await connectThroughProxy({ proxyUrl, host: 'server.test', port: 8443 })
    socket.destroy()
    expect(asked).toEqual(['server.test:8443', 'server.test:8443', 'Basic dXNlcjpwQHNz'])
  })

  test('loses no byte that came together with the answer', async () => {
    const proxyUrl = await startProxy((_, socket) => socket.write('HTTP/1.1 200 OK\r\n\r\nearly'))
    const socket = await connectThroughProxy({ proxyUrl, host: '::1', port: 1 })
    expect(await firstData(socket)).toBe('early')
    socket.destroy()
  })

  test.each([
    ['HTTP/1.1 403 Forbidden\r\n\r\n', /did not connect to server\.test:443: it answered 403 Forbidden/],
    ['HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', /407 .*user:password@/],
    ['', /socket hang up/],
  ])('a proxy that answers %j is named with its reason', async (answer, message) => {
    const proxyUrl = await startProxy((_, socket) => socket.end(answer))
    const attempt = connectThroughProxy({ proxyUrl, host: 'server.test', port: 443 })
    await expect(attempt).rejects.toMatchObject({ code: 'EPROXY', message: expect.stringMatching(message) })
  })

  test('a proxy that never answers is given up', async () => {
    const sockets: Socket[] = []
    const silent = createTcpServer(socket => sockets.push(socket)).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    closers.push(() => {
      for (const socket of sockets) socket.destroy()
      silent.close()
    })
    const proxyUrl = new URL(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`)
    const attempt = connectThroughProxy({ proxyUrl, host: 'server.test', port: 443, timeoutMs: 20 })
    await expect(attempt).rejects.toThrow('no answer in time')
  })
})

describe('proxyFor', () => {
  const proxies = { https_proxy: 'http://secure:1', HTTP_PROXY: 'plain:2' }
  test.each([
    ['https://a.test/', {}, undefined],
    ['https://a.test/', proxies, 'http://secure:1/'],
    ['wss://a.test/', proxies, 'http://secure:1/'],
    ['http://a.test/', proxies, 'http://plain:2/'],
    ['ws://a.test/', proxies, 'http://plain:2/'],
    ['https://a.test/', { ALL_PROXY: 'http://all:3' }, 'http://all:3/'],
    ['https://a.test/', { https_proxy: '' }, undefined],
    ['https://localhost/', proxies, undefined],
    ['https://127.0.0.9/', proxies, undefined],
    ['https://[::1]/', proxies, undefined],
  ])('%s with %j goes through %s', (url, env, proxy) => {
    expect(proxyFor(new URL(url), env)?.href).toBe(proxy)
  })

  test.each([
    ['https://a.test/', '*', true],
    ['https://a.test/', 'b.test, a.test', true],
    ['https://sub.a.test/', 'a.test', true],
    ['https://sub.a.test/', '.a.test', true],
    ['https://sub.a.test/', '*.a.test', true],
    ['https://nota.test/', 'a.test', false],
    ['https://A.test/', 'a.TEST', true],
    ['https://a.test/', 'a.test:443', true],
    ['https://a.test:8443/', 'a.test:443', false],
    ['https://10.1.2.3/', '10.1.0.0/16', true],
    ['https://10.2.2.3/', '10.1.0.0/16', false],
    ['https://10.1.2.3/', '10.1.0.0/99', false],
    ['https://10.1.2.3/', '1.2.3', false],
    ['https://[fd00::5]/', 'fd00::/8', true],
    ['https://[fd00::5]:8443/', '[fd00::5]:8443', true],
  ])('%s with no_proxy %s: direct is %s', (url, no_proxy, direct) => {
    expect(proxyFor(new URL(url), { ...proxies, no_proxy }) === undefined).toBe(direct)
  })

  test('a value that is no HTTP proxy is refused by name', () => {
    expect(() => proxyFor(new URL('https://a.test'), { https_proxy: 'socks5://x:1' })).toThrow(
      /https_proxy is not/,
    )
  })
})
