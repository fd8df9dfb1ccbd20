import * as http from 'node:http'
import * as https from 'node:https'
import { isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import * as tls from 'node:tls'
import { dialWebSocket } from './node.ts'
import { connectThroughProxy, proxyFor } from './proxy.ts'
import type { Connection } from './transport.ts'

const MAXIMUM_RESPONSE = 16 * 1024 * 1024
const IDLE_CONNECTIONS = 4

type Environment = Readonly<Record<string, string | undefined>>
type Headers = ReadonlyArray<readonly [string, string]>

export type HttpResponse = { status: number; headers: http.IncomingHttpHeaders; body: string }

/** No answer came. `sent` tells whether the server may have got the request, and so may have acted on it. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  readonly code: 'ConnectionFailed' | 'ConnectionUntrusted' | 'ConnectionTimedOut' | 'ResponseTooLarge'
  readonly sent: boolean

  constructor(code: ConnectionError['code'], message: string, sent: boolean, cause?: unknown) {
    super(message, { cause })
    this.code = code
    this.sent = sent
  }
}

export type RequestOptions = {
  /** POST unless given. */
  method?: string
  /** `/` unless given. */
  path?: string
  /** Complete but for the length, `host` included. */
  headers: Headers
  body: Uint8Array
  /** For the whole exchange. */
  timeoutMs: number
}

/** One exchange with the endpoint. Rejects with a ConnectionError; any answer of the server resolves. */
export type Requester = (request: RequestOptions) => Promise<HttpResponse>

export type ConnectOptions = {
  /** PEM, in place of the platform's CAs. */
  ca?: string | undefined
  /** For `https_proxy` and its like. */
  env: Environment
  /**
   * Takes any certificate: only to fetch what is verified otherwise. False: none that is not trusted, even where
   * NODE_TLS_REJECT_UNAUTHORIZED says so.
   */
  insecure?: boolean
}

/** Connections to one endpoint, kept alive between requests, through the environment's proxy if it names one. */
export function createRequester(endpoint: URL, options: ConnectOptions): Requester {
  const secure = endpoint.protocol === 'https:'
  const agent = createAgent(endpoint, options)
  const request = secure ? https.request : http.request
  return ({ method = 'POST', path = '/', headers, body, timeoutMs }) =>
    new Promise((resolve, reject) => {
      let sent = false
      const outgoing = request(new URL(path, endpoint), {
        method,
        agent,
        headers: { ...Object.fromEntries(headers), 'content-length': body.length },
      })
      const fail = (error: Error) => {
        clearTimeout(timer)
        outgoing.destroy()
        reject(explain(error, endpoint, sent))
      }
      const timer = setTimeout(
        () => fail(Object.assign(new Error(`no answer in ${timeoutMs / 1000} s`), { code: 'ETIMEDOUT' })),
        timeoutMs,
      )
      outgoing.once('socket', socket => {
        if (outgoing.reusedSocket || (!secure && !socket.connecting)) sent = true
        else socket.once(secure ? 'secureConnect' : 'connect', () => (sent = true))
      })
      outgoing.on('error', fail)
      outgoing.once('response', response => {
        readBody(response).then(text => {
          clearTimeout(timer)
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text })
        }, fail)
      })
      outgoing.end(body)
    })
}

/** Opens websockets, like the requests: with this CA, through the proxy. Sessions of TLS are resumed. */
export function createDialer(
  options: ConnectOptions,
): (url: string, headers?: Headers) => Promise<Connection> {
  const secureContext = options.ca === undefined ? undefined : tls.createSecureContext({ ca: options.ca })
  let session: Buffer | undefined
  const overTls = (url: URL, socket: Socket | undefined): Duplex => {
    const host = bareHost(url)
    const connection = tls.connect({
      ...(socket === undefined ? { host, port: portOf(url) } : { socket }),
      ...(isIP(host) === 0 && { servername: host }),
      ...(secureContext && { secureContext }),
      ...(session && { session }),
    })
    connection.on('session', ticket => {
      session = ticket
    })
    return connection
  }
  return async (address, headers = []) => {
    const url = new URL(address)
    const secure = url.protocol === 'wss:'
    const proxyUrl = proxyFor(new URL(address.replace(/^ws/, 'http')), options.env)
    const socket =
      proxyUrl && (await connectThroughProxy({ proxyUrl, host: bareHost(url), port: portOf(url) }))
    if (secure) return await dialWebSocket(address, { headers, createConnection: () => overTls(url, socket) })
    return await dialWebSocket(address, { headers, ...(socket && { createConnection: () => socket }) })
  }
}

function createAgent(endpoint: URL, { ca, env, insecure }: ConnectOptions): http.Agent {
  const secure = endpoint.protocol === 'https:'
  const proxyUrl = proxyFor(endpoint, env)
  const options = { keepAlive: true, maxFreeSockets: IDLE_CONNECTIONS }
  const agent = secure
    ? new https.Agent({
        ...options,
        ...(ca && { ca }),
        ...(insecure !== undefined && { rejectUnauthorized: !insecure }),
      })
    : new http.Agent(options)
  if (proxyUrl !== undefined) tunnel(agent, proxyUrl, endpoint, secure)
  return agent
}

type Connect = (
  options: tls.ConnectionOptions,
  done: (error: Error | null, socket?: Socket) => void,
) => undefined

function tunnel(agent: http.Agent, proxyUrl: URL, endpoint: URL, secure: boolean): void {
  const createConnection: Connect = (options, done) => {
    connectThroughProxy({ proxyUrl, host: bareHost(endpoint), port: portOf(endpoint) }).then(
      socket => done(null, secure ? tls.connect({ ...options, socket }) : socket),
      done,
    )
    return undefined
  }
  // Node documents the method for overriding; its declared type knows only the form that returns the socket.
  Object.assign(agent, { createConnection })
}

function bareHost(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1')
}

function portOf(url: URL): number {
  return Number(url.port) || (url.protocol === 'https:' || url.protocol === 'wss:' ? 443 : 80)
}

async function readBody(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAXIMUM_RESPONSE) {
      throw new ConnectionError('ResponseTooLarge', `the answer exceeds ${MAXIMUM_RESPONSE} bytes`, true)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Codes of OpenSSL's and Node's certificate checks (Node.js documentation, "X509 certificate error codes"). */
const UNTRUSTED =
  /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|HOSTNAME_MISMATCH|INVALID_CA)/
const UNKNOWN_ISSUER = /SELF_SIGNED|UNABLE_TO|INVALID_CA/

function explain(error: Error, endpoint: URL, sent: boolean): ConnectionError {
  if (error instanceof ConnectionError) return error
  const { code = '' } = error as NodeJS.ErrnoException
  const fail = (kind: ConnectionError['code'], text: string) => new ConnectionError(kind, text, sent, error)
  if (UNTRUSTED.test(code)) {
    const how = UNKNOWN_ISSUER.test(code)
      ? '\nIf it is your Sallyport server, trust its own CA: get it with `sallyport trust --ca-hash HASH --output FILE`, then --ca-bundle FILE or AWS_CA_BUNDLE=FILE (on the server itself: --ca-bundle <data dir>/tls/ca.pem).'
      : ''
    return fail(
      'ConnectionUntrusted',
      `The certificate of ${endpoint.origin} is not trusted: ${error.message}.${how}`,
    )
  }
  if (code === 'EPROTO' && error.message.includes('wrong version number')) {
    return fail(
      'ConnectionFailed',
      `${endpoint.origin} does not speak TLS. Is this the plain HTTP port? Try http://`,
    )
  }
  if (code === 'ECONNRESET' && !(sent && endpoint.protocol === 'https:')) {
    // What the two listeners do with a client that speaks the other's protocol, if it says anything at all.
    const other = endpoint.protocol === 'https:' ? 'HTTP port? Try http://' : 'HTTPS port? Try https://'
    return fail(
      'ConnectionFailed',
      `${endpoint.origin} closed the connection without an answer. Is this the ${other}`,
    )
  }
  const kind = code === 'ETIMEDOUT' ? 'ConnectionTimedOut' : 'ConnectionFailed'
  // An AggregateError of a host with several addresses has an empty message.
  return fail(kind, `Cannot reach ${endpoint.origin}: ${error.message || code}`)
}
