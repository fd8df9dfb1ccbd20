import { randomUUID } from 'node:crypto'
import * as http from 'node:http'
import * as https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { AwsError, authenticationError } from '@sallyport/protocol/aws/error'
import { type Encoded, encodeJsonError } from '@sallyport/protocol/aws/json'
import type { Authenticator } from './api/authenticate.ts'
import type { Dispatch } from './api/dispatch.ts'
import { type ApiRequest, factsOf } from './api/request.ts'
import type { ListenAddress } from './config.ts'
import { type Accept, channelPath } from './gateway/accept.ts'
import { type NodeRoles, onlineRefusal } from './iam/node-roles.ts'
import type { NodePrincipal } from './iam/principal.ts'
import { ListenError } from './listen-error.ts'
import type { Logger } from './logger.ts'
import type { ListenerCertificates } from './tls/listener-certificates.ts'

/** The largest input of any operation is a document of 64 KiB. */
const MAXIMUM_BODY = 1024 * 1024
const HEADERS_TIMEOUT = 15_000
const REQUEST_TIMEOUT = 60_000
const KEEP_ALIVE = 30_000
const HANDSHAKE_TIMEOUT = 10_000
/** How exactly the time-outs above are kept; Node's own 30 s would make three of the first. */
const CHECKING_INTERVAL = 2_000
/** How long connections may take to end by themselves when the server stops. */
const CLOSE_GRACE = 1_000
/** How soon a file that was replaced is noticed; costs a few reads. */
const CERTIFICATE_INTERVAL = 60_000
const CA_PATH = '/.well-known/sallyport/ca.pem'

export type ServerParts = {
  certificates: ListenerCertificates
  authenticator: Authenticator
  dispatch: Dispatch
  accept: Accept
  nodeRoles: Pick<NodeRoles, 'missingOf'>
  logger: Logger
  publicUrl: string | undefined
}

/** Where a server listens, ports chosen. */
export type Listening = { https: ListenAddress; http: ListenAddress | undefined }

/** The listeners: one for everything over TLS, and a plain one on a loopback address. */
export class Server {
  readonly #parts: ServerParts
  readonly #https: https.Server
  readonly #http: http.Server
  readonly #refresh: NodeJS.Timeout
  readonly #sockets = new Set<Socket>()
  #serve: () => void = () => {}
  readonly #serving = new Promise<void>(resolve => {
    this.#serve = resolve
  })

  constructor(parts: ServerParts) {
    this.#parts = parts
    const common = {
      headersTimeout: HEADERS_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      keepAliveTimeout: KEEP_ALIVE,
      connectionsCheckingInterval: CHECKING_INTERVAL,
    }
    this.#https = https.createServer({
      ...common,
      ...parts.certificates.options(),
      handshakeTimeout: HANDSHAKE_TIMEOUT,
    })
    this.#http = http.createServer(common)
    this.#receive(this.#https, 'https')
    this.#receive(this.#http, 'http')
    this.#refresh = setInterval(() => void this.refreshCertificates(), CERTIFICATE_INTERVAL)
    this.#refresh.unref()
  }

  /** Takes its ports; what is asked there waits until `serve`. Rejects with ListenError. */
  async listen(secure: ListenAddress, plain: ListenAddress | undefined): Promise<Listening> {
    await listenOn(this.#https, secure, 'https')
    if (plain !== undefined) await listenOn(this.#http, plain, 'http')
    return {
      https: { host: secure.host, port: portOf(this.#https) },
      http: plain && { host: plain.host, port: portOf(this.#http) },
    }
  }

  /** Begins to answer. */
  serve(): void {
    this.#serve()
  }

  /** Renews the certificate if it is about to end, and reads the operator's again. */
  async refreshCertificates(): Promise<void> {
    const { certificates } = this.#parts
    if (await certificates.refresh(Date.now())) this.#https.setSecureContext(certificates.options())
  }

  async close(): Promise<void> {
    clearInterval(this.#refresh)
    // Handshakes under way and websockets are not among the connections that an HTTP server can close.
    const late = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy()
    }, CLOSE_GRACE)
    await Promise.all([this.#https, this.#http].map(closeListener))
    clearTimeout(late)
  }

  #receive(server: http.Server | https.Server, scheme: 'http' | 'https'): void {
    server.on('request', (request, response) => void this.#request(request, response, scheme))
    server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head, scheme))
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      noteAddress(socket)
    })
    server.on('secureConnection', noteAddress)
    // A peer that breaks off, or speaks no TLS: its own affair.
    server.on('clientError', (_error, socket) => socket.destroy())
  }

  async #request(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    scheme: string,
  ): Promise<void> {
    const id = randomUUID()
    const gone = new AbortController()
    response.on('close', () => {
      if (!response.writableFinished) gone.abort()
    })
    // Of one that had hung up before it was accepted nobody can say where it was, and policies ask.
    const head = this.#apiRequest(request, new Uint8Array(0), scheme, id, gone.signal)
    if (head.remoteAddress === '') return void request.destroy()
    try {
      await this.#serving
      const own = this.#ownPage(request)
      if (own !== undefined) return send(response, own)
      const body = await readBody(request)
      send(response, await this.#parts.dispatch.handle({ ...head, body }))
    } catch (error) {
      if (!(error instanceof AwsError)) {
        this.#parts.logger.info({ requestId: id, err: error }, 'request broken off')
        request.destroy()
        return
      }
      this.#parts.logger.warn({ requestId: id, error: error.code, reason: error.message }, 'request refused')
      response.setHeader('connection', 'close')
      send(response, encodeJsonError(error, id, 'awsJson'))
    }
  }

  /** What is served without a signature: the health of the process, and the CA, which a join command pins. */
  #ownPage(request: http.IncomingMessage): Encoded | undefined {
    if (request.method !== 'GET') return undefined
    const text = (type: string, body: string) => ({
      status: 200,
      headers: { 'content-type': type },
      body: Buffer.from(body),
    })
    if (request.url === '/healthz') return text('text/plain', 'ok\n')
    if (request.url !== CA_PATH) return undefined
    const { certificates } = this.#parts
    if (!certificates.isOwn(serverName(request.socket)))
      return text('application/x-pem-file', certificates.caPem)
    // The CA did not sign what this client was shown: whoever pinned it could not come back.
    return { ...text('text/plain', 'This name has a certificate of another CA.\n'), status: 404 }
  }

  async #upgrade(request: http.IncomingMessage, socket: Duplex, head: Buffer, scheme: string): Promise<void> {
    // Until the websocket is made, nobody else would notice.
    socket.on('error', () => socket.destroy())
    const id = randomUUID()
    const { signal } = new AbortController()
    const api = this.#apiRequest(request, new Uint8Array(0), scheme, id, signal)
    const path = channelPath(api.path)
    if (path === undefined) return refuseUpgrade(socket, 404, 'Not Found')
    try {
      await this.#serving
      const principal = await this.#parts.authenticator.authenticate(api, 'restXml', 'ssmmessages')
      if (path.kind === 'control') {
        if (principal.kind !== 'node') return refuseUpgrade(socket, 403, 'Forbidden')
        await this.#checkOnline(principal, api)
      }
      this.#parts.accept.upgrade(request, socket, head, path, principal)
    } catch (error) {
      if (error instanceof AwsError) {
        this.#parts.logger.warn(
          { requestId: id, channel: path.kind, error: error.code, reason: error.message },
          'channel refused',
        )
        return refuseUpgrade(socket, error.status, 'Refused')
      }
      this.#parts.logger.error({ requestId: id, err: error }, 'upgrade failed')
      refuseUpgrade(socket, 500, 'Internal Server Error')
    }
  }

  /** Agents were told at CreateControlChannel; what a role lost since then they learn from the same words here. */
  async #checkOnline({ nodeId }: NodePrincipal, request: ApiRequest): Promise<void> {
    const lack = await this.#parts.nodeRoles.missingOf(nodeId, factsOf(request, Date.now()))
    if (lack === undefined) return
    throw authenticationError('access-denied', 'restXml', onlineRefusal(nodeId, lack))
  }

  #apiRequest(
    request: http.IncomingMessage,
    body: Uint8Array,
    scheme: string,
    id: string,
    gone: AbortSignal,
  ): ApiRequest {
    const [path = '/', query = ''] = splitOnce(request.url ?? '/', '?')
    const headers: Array<[string, string]> = []
    for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
      headers.push([request.rawHeaders[i] ?? '', request.rawHeaders[i + 1] ?? ''])
    }
    const host = request.headers.host ?? 'localhost'
    return {
      id,
      method: request.method ?? 'GET',
      path,
      query,
      headers,
      body,
      // Whatever a caller says here is in what it signed, and it alone is told to come back there.
      origin: this.#parts.publicUrl ?? `${scheme}://${host}`,
      remoteAddress: request.socket.remoteAddress ?? '',
      secure: request.socket instanceof TLSSocket,
      gone,
    }
  }
}

/**
 * A socket remembers where it comes from once it was asked: who asks for something and does not wait for the answer, such
 * as the end of a session, has come from somewhere all the same.
 */
function noteAddress(socket: Socket): void {
  void socket.remoteAddress
}

async function readBody(request: http.IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAXIMUM_BODY) {
      throw new AwsError('RequestEntityTooLarge', `A request has at most ${MAXIMUM_BODY} bytes.`, {
        status: 413,
      })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function send(response: http.ServerResponse, answer: Encoded): void {
  response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length })
  response.end(answer.body)
}

function refuseUpgrade(socket: Duplex, status: number, reason: string): void {
  // The HTTP server no longer looks after this socket: a peer that keeps its half open would keep all of it.
  socket.end(`HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () =>
    socket.destroy(),
  )
}

/** The name by which a client asked for a certificate (RFC 6066, 3); none without TLS, or for an address. */
function serverName(socket: Socket): string | undefined {
  return (socket instanceof TLSSocket && socket.servername) || undefined
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function listenOn(
  server: http.Server | https.Server,
  address: ListenAddress,
  scheme: 'https' | 'http',
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', error => reject(new ListenError(address, scheme, error)))
    server.listen(address.port, address.host, () => resolve())
  })
}

function portOf(server: http.Server | https.Server): number {
  return (server.address() as AddressInfo).port
}

function closeListener(server: http.Server | https.Server): Promise<void> {
  return new Promise(resolve => {
    if (!server.listening) return resolve()
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
