import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP, type Socket } from 'node:net'

/** A proxy that has not opened the tunnel by then will not: the far side has its own, shorter time-outs. */
const CONNECT_TIMEOUT_MS = 15_000

export type ProxyOptions = {
  proxyUrl: URL
  /** The destination, as the proxy is to resolve it. */
  host: string
  port: number
  timeoutMs?: number
}

/**
 * Opens a TCP connection through an HTTP proxy with CONNECT (RFC 9110 9.3.6). User and password of the proxy's URL
 * become Basic credentials. Rejects with an Error whose `code` is `EPROXY` and whose message names the proxy.
 */
export const connectThroughProxy = ({ proxyUrl, host, port, timeoutMs }: ProxyOptions): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const target = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
    const fail = (why: string, cause?: unknown) => {
      const message = `The proxy ${proxyUrl.host} did not connect to ${target}: ${why}`
      reject(Object.assign(new Error(message, { cause }), { code: 'EPROXY' }))
      request.destroy()
    }
    const request = (proxyUrl.protocol === 'https:' ? httpsRequest : httpRequest)({
      method: 'CONNECT',
      host: unbracket(proxyUrl.hostname),
      port: proxyUrl.port || (proxyUrl.protocol === 'https:' ? 443 : 80),
      path: target,
      headers: { host: target, ...authorization(proxyUrl) },
      agent: false,
    })
    const timer = setTimeout(() => fail('no answer in time'), timeoutMs ?? CONNECT_TIMEOUT_MS)
    request.once('close', () => clearTimeout(timer))
    request.once('error', error => fail(error.message, error))
    request.once('response', response => fail(`it answered ${response.statusCode} to CONNECT`))
    request.once('connect', (response, socket, head) => {
      clearTimeout(timer)
      if (response.statusCode !== 200) {
        socket.destroy()
        const hint = response.statusCode === 407 ? ' (put user:password@ into the URL of the proxy)' : ''
        return fail(`it answered ${response.statusCode} ${response.statusMessage}${hint}`)
      }
      if (head.length > 0) socket.unshift(head)
      socket.setTimeout(0)
      resolve(socket)
    })
    request.end()
  })

const authorization = ({ username, password }: URL): Record<string, string> => {
  if (username === '') return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` }
}

/**
 * The proxy for a URL (http, https, ws, wss) by the environment's https_proxy, http_proxy, all_proxy and no_proxy, in
 * lower or upper case, or undefined for a direct connection. This machine itself is always reached directly.
 * Throws on a proxy URL that is none.
 */
export const proxyFor = (url: URL, env: Readonly<Record<string, string | undefined>>): URL | undefined => {
  const read = (name: string) => env[name] || env[name.toUpperCase()]
  const name = /^(https|wss):$/.test(url.protocol) ? 'https_proxy' : 'http_proxy'
  const value = read(name) ?? read('all_proxy')
  if (!value) return undefined
  const host = unbracket(url.hostname)
  const port = url.port || (name === 'https_proxy' ? '443' : '80')
  if (isThisMachine(host) || isExcepted(host, port, read('no_proxy') ?? '')) return undefined
  const text = value.includes('://') ? value : `http://${value}`
  if (!URL.canParse(text) || !/^https?:\/\//.test(text)) {
    throw new Error(
      `${name} is not the address of an HTTP proxy: expected a value such as http://proxy.example.org:3128`,
    )
  }
  return new URL(text)
}

const unbracket = (host: string) => host.replace(/^\[(.*)\]$/, '$1')

const isThisMachine = (host: string) =>
  host === 'localhost' ||
  host.endsWith('.localhost') ||
  host === '::1' ||
  (isIP(host) === 4 && host.startsWith('127.'))

/** An entry is `*`, a name (its subdomains too, with or without a leading dot), an address, or a network; or any of these with a port. */
const isExcepted = (host: string, port: string, noProxy: string): boolean =>
  noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(entry => entry !== '')
    .some(entry => {
      if (entry === '*') return true
      if (entry.includes('/')) return isInNetwork(host, entry)
      const [, name = entry, onPort] = /^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(entry) ?? []
      if (onPort !== undefined && onPort !== port) return false
      const bare = unbracket(name).replace(/^\*?\./, '')
      return host === bare || (isIP(host) === 0 && host.endsWith(`.${bare}`))
    })

const isInNetwork = (host: string, network: string): boolean => {
  const [address = '', bits = ''] = network.split('/')
  const family = isIP(address)
  const prefix = Number(bits)
  if (family === 0 || family !== isIP(host) || !/^\d+$/.test(bits) || prefix > (family === 4 ? 32 : 128))
    return false
  const type = family === 4 ? 'ipv4' : 'ipv6'
  const list = new BlockList()
  list.addSubnet(address, prefix, type)
  return list.check(host, type)
}
