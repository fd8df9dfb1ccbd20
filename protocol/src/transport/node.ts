import type { IncomingMessage } from 'node:http'
import type { connect, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import WebSocket from 'ws'
import { MAXIMUM_FRAME_SIZE } from '../message.ts'
import { type Connection, type ConnectionEvents, DialError, NO_EVENTS } from './transport.ts'

/** A close reason is part of a control frame of at most 125 bytes (RFC 6455 5.5). */
const MAXIMUM_REASON = 123
/** Frames below this gain from sharing one write with their neighbours; larger ones lose. */
const CORK_BELOW = 32 * 1024
const DIAL_TIMEOUT = 10_000

/** With so much on its way out, a ping is answered when that is gone: who floods with pings need not read answers. */
const PONG_BELOW = 32 * 1024
/** A write that may leave so much behind tells when it is done; Node's own 'drain' has a mark that differs by version. */
const TELL_FROM = 32 * 1024

/** Options for both ends: no compression, no text check on channels that carry bytes, a bound on frames. */
export const WEBSOCKET_OPTIONS = {
  perMessageDeflate: false,
  autoPong: false,
  skipUTF8Validation: true,
  maxPayload: MAXIMUM_FRAME_SIZE,
} as const

export type DialOptions = {
  headers?: ReadonlyArray<readonly [string, string]>
  /** Makes the connection underneath, TLS included where the URL asks for it. */
  createConnection?: () => Duplex
}

/** Opens a websocket. Rejects with `DialError`. */
export function dialWebSocket(url: string, options: DialOptions = {}): Promise<Connection> {
  const { promise, resolve, reject } = withResolvers<Connection>()
  const websocket = new WebSocket(url, {
    ...WEBSOCKET_OPTIONS,
    handshakeTimeout: DIAL_TIMEOUT,
    headers: Object.fromEntries(options.headers ?? []),
    ...(options.createConnection && {
      createConnection: options.createConnection as unknown as typeof connect,
    }),
  })
  let connection: Connection | undefined
  websocket.once('upgrade', (response: IncomingMessage) => {
    response.socket.setNoDelay(true)
    // Wrapped before 'open' so that no early message can be missed.
    connection = wrapWebSocket(websocket, response.socket)
  })
  websocket.once('open', () => connection && resolve(connection))
  websocket.once('unexpected-response', (_request, response) => {
    response.resume()
    reject(new DialError(`${url} answered ${response.statusCode}`, { status: response.statusCode ?? 0 }))
    websocket.terminate()
  })
  websocket.once('error', cause => reject(new DialError(`${url}: ${cause.message}`, { cause })))
  return promise
}

/** Puts our interface over an open websocket of either side. `socket` is the one underneath. */
export function wrapWebSocket(websocket: WebSocket, socket: Socket): Connection {
  let corked = false
  let paused = false
  const early: Array<[Uint8Array, boolean]> = []
  let closed: [number, string] | undefined
  let failure = ''
  let events: ConnectionEvents = NO_EVENTS
  let owed: Buffer | undefined
  const answer = () => {
    if (owed === undefined || websocket.bufferedAmount > PONG_BELOW) return
    if (websocket.readyState === WebSocket.OPEN) websocket.pong(owed)
    owed = undefined
  }
  const written = () => {
    answer()
    events.drain()
  }
  const uncork = () => {
    corked = false
    socket.uncork()
  }
  websocket.on('message', (data, isBinary) => {
    const bytes = data as Buffer
    if (events === NO_EVENTS) early.push([bytes, !isBinary])
    else events.message(bytes, !isBinary)
  })
  websocket.on('pong', () => events.pong())
  websocket.on('ping', data => {
    events.pong()
    // RFC 6455 5.5.3: of several pings it is enough to answer the last.
    owed = data
    answer()
  })
  websocket.on('close', (code, reason) => {
    closed = [code, reason.length === 0 ? failure : reason.toString()]
    events.close(...closed)
  })
  // 'close' follows every error and is where it is handled.
  websocket.on('error', error => {
    // What the peer did wrong, as opposed to what befell the socket.
    if (String((error as { code?: string }).code).startsWith('WS_ERR')) failure = error.message
  })
  socket.on('drain', written)
  return {
    send(data) {
      if (websocket.readyState !== WebSocket.OPEN) return
      if (!corked && data.length < CORK_BELOW) {
        corked = true
        socket.cork()
        process.nextTick(uncork)
      }
      if (websocket.bufferedAmount + data.length < TELL_FROM) websocket.send(data)
      else websocket.send(data, written)
    },
    get bufferedBytes() {
      return websocket.bufferedAmount
    },
    pause() {
      if (paused || websocket.readyState !== WebSocket.OPEN) return
      paused = true
      websocket.pause()
    },
    resume() {
      if (!paused) return
      paused = false
      websocket.resume()
    },
    ping() {
      if (websocket.readyState === WebSocket.OPEN) websocket.ping('keepalive')
    },
    close(code, reason) {
      // A paused socket would never read the peer's close frame.
      if (paused) websocket.resume()
      websocket.close(code, cutReason(reason))
    },
    terminate: () => websocket.terminate(),
    get events() {
      return events
    },
    set events(next) {
      events = next
      for (const [data, isText] of early.splice(0)) events.message(data, isText)
      if (closed !== undefined) events.close(...closed)
    },
  }
}

function cutReason(reason: string): string {
  const bytes = Buffer.from(reason)
  // A character cut in half decodes to U+FFFD, which the peer would refuse no longer than we would print it.
  return bytes.length <= MAXIMUM_REASON ? reason : bytes.subarray(0, MAXIMUM_REASON - 3).toString()
}

function withResolvers<T>() {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
