import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '@sallyport/protocol/clock'
import { encodeChannelClosed } from '@sallyport/protocol/control-channel'
import { ProtocolError } from '@sallyport/protocol/errors'
import { type OpenDataChannel, openControlChannel, openDataChannel } from '@sallyport/protocol/payloads'
import { WEBSOCKET_OPTIONS, wrapWebSocket } from '@sallyport/protocol/transport/node'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { type Connection, NO_EVENTS } from '@sallyport/protocol/transport/transport'
import { WebSocketServer } from 'ws'
import { type ChannelTokens, hashClientToken } from '../iam/channel-tokens.ts'
import type { Principal } from '../iam/principal.ts'
import type { Logger } from '../logger.ts'
import type { Scope } from '../store/schema.ts'
import type { Session } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'
import type { Gateway } from './gateway.ts'
import type { Role } from './half.ts'
import { MAXIMUM_DATA_FRAME, MAXIMUM_PARTS } from './session-memory.ts'

/** How long a websocket may stay silent before its opening frame. */
const OPEN_TIMEOUT = 10_000
const MAXIMUM_OPENING = 16 * 1024
const PATH = /^\/v1\/(control|data)-channel\/([^/?]{1,200})$/
/** Beyond so many websockets without an opening frame the one that waits longest is dropped. */
export const MAXIMUM_WAITING = 4096
/** Stock agents write at most 142,000 bytes at once (data-plane.md 2.5). */
const MAXIMUM_CONTROL_FRAME = 256 * 1024
/** RFC 6455 7.4.1: policy violation. */
const REFUSED_CLOSE = 1008
const OVERLOADED_CLOSE = 1011

export type AcceptOptions = {
  gateway: Gateway
  store: Store
  scope: Scope
  channelTokens: ChannelTokens
  clock: Clock
  logger: Logger
}

export type ChannelPath = { kind: 'control' | 'data'; id: string }

/** The channel that a websocket URL names, or undefined. */
export function channelPath(path: string): ChannelPath | undefined {
  const match = PATH.exec(path)
  if (match === null) return undefined
  try {
    return { kind: match[1] === 'control' ? 'control' : 'data', id: decodeURIComponent(match[2] ?? '') }
  } catch {
    return undefined
  }
}

/** A peer that dribbles bytes, or cuts its messages to shreds, would cost hundreds of bytes for each that it sends. */
function newServer(maxPayload: number): WebSocketServer {
  const parts = { maxFragments: MAXIMUM_PARTS, maxBufferedChunks: MAXIMUM_PARTS }
  const options = { ...WEBSOCKET_OPTIONS, ...parts, maxPayload }
  return new WebSocketServer({ noServer: true, clientTracking: false, ...options })
}

class Refusal extends Error {}

/** Nothing that still comes is kept: a peer may go on sending until it has answered the close. */
function discard(connection: Connection, code: number, reason: string): void {
  connection.events = { ...NO_EVENTS }
  connection.close(code, reason)
}

/** Takes websockets: upgrades them, reads the opening frame, and hands them to the gateway if all is right. */
export class Accept {
  readonly #options: AcceptOptions
  /** What is waited for an opening frame of, by what refuses it; the longest first. */
  readonly #waiting = new Set<(reason: string) => void>()
  readonly #servers = {
    control: newServer(MAXIMUM_CONTROL_FRAME),
    data: newServer(MAXIMUM_DATA_FRAME),
  }

  constructor(options: AcceptOptions) {
    this.#options = options
  }

  /** `principal` signed the upgrade, if it was signed: a client's data channel is not (data-plane.md 9.2). */
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    path: ChannelPath,
    principal: Principal,
  ): void {
    this.#servers[path.kind].handleUpgrade(request, socket, head, websocket => {
      const connection = wrapWebSocket(websocket, socket as Socket)
      this.open(connection, path, principal)
    })
  }

  /** Waits for the opening frame of a websocket, and hands it to its owner. */
  open(connection: Connection, path: ChannelPath, principal: Principal): void {
    const { clock, logger } = this.#options
    const refuse = (reason: string) => {
      settle()
      logger.warn({ channel: path.kind, channelId: path.id, reason }, 'channel refused')
      discard(connection, REFUSED_CLOSE, reason)
    }
    const cancel = clock.after(OPEN_TIMEOUT, () => refuse('no opening frame came in time'))
    const settle = () => {
      cancel()
      this.#waiting.delete(refuse)
    }
    this.#wait(refuse)
    connection.events = {
      message: data => {
        settle()
        // What follows the opening frame waits until its owner is known.
        connection.events = NO_EVENTS
        connection.pause()
        this.#admit(connection, path, principal, data).catch((error: unknown) => {
          if (error instanceof Refusal || error instanceof ProtocolError) return refuse(error.message)
          logger.error({ channel: path.kind, channelId: path.id, err: error }, 'channel could not be opened')
          discard(connection, OVERLOADED_CLOSE, 'the server could not open the channel')
        })
      },
      pong: () => {},
      drain: () => {},
      close: settle,
    }
  }

  #wait(refuse: (reason: string) => void): void {
    this.#waiting.add(refuse)
    if (this.#waiting.size <= MAXIMUM_WAITING) return
    const [oldest] = this.#waiting
    oldest?.('too many channels are being opened')
  }

  async #admit(
    connection: Connection,
    path: ChannelPath,
    principal: Principal,
    frame: Uint8Array,
  ): Promise<void> {
    if (frame.length > MAXIMUM_OPENING) throw new Refusal('the opening frame is too long')
    if (path.kind === 'control') await this.#admitNode(connection, path.id, principal, frame)
    else await this.#admitSession(connection, path.id, principal, frame)
  }

  async #admitNode(
    connection: Connection,
    nodeId: string,
    principal: Principal,
    frame: Uint8Array,
  ): Promise<void> {
    const { channelTokens, clock, gateway } = this.#options
    const { TokenValue } = openControlChannel.decode(frame)
    if (principal.kind !== 'node' || principal.nodeId !== nodeId)
      throw new Refusal('the channel belongs to another node')
    if (!channelTokens.check(TokenValue, { kind: 'control', channelId: nodeId, nodeId }, clock.now())) {
      throw new Refusal('the token is not valid')
    }
    // Before its owner has it: the owner may pause it again.
    connection.resume()
    await gateway.attachNode(nodeId, connection)
  }

  async #admitSession(
    connection: Connection,
    sessionId: string,
    principal: Principal,
    frame: Uint8Array,
  ): Promise<void> {
    const { store, scope, gateway } = this.#options
    const open = openDataChannel.decode(frame)
    if (principal.kind === 'node') this.#checkAgent(sessionId, principal.nodeId, open)
    else await this.#checkClient(sessionId, open)
    const session = await store.sessions.get(scope, sessionId)
    const foreign = principal.kind === 'node' && session?.nodeId !== principal.nodeId
    if (session === undefined || foreign) throw new Refusal('the token is not valid')
    if (session.endedAt !== null) throw new Refusal('the session has ended')
    // Between StartSession and now anything may have been taken away (security-cases.md 3).
    const output = await gateway.checkSession(session)
    const role = principal.kind === 'node' ? 'agent' : 'client'
    if (output !== undefined) return this.#turnAway(connection, session, role, output)
    connection.resume()
    gateway.attachSession(session, role, connection)
  }

  /** Both ends know what to do about this message, and nothing else would tell the person why. */
  #turnAway(connection: Connection, { sessionId, nodeId }: Session, role: Role, output: string): void {
    const { clock, logger } = this.#options
    logger.warn({ channel: 'data', channelId: sessionId, role, reason: output }, 'channel refused')
    const destinationId = role === 'agent' ? nodeId : sessionId
    connection.send(encodeChannelClosed(nodeCrypto, clock.now(), { sessionId, destinationId, output }))
    discard(connection, REFUSED_CLOSE, output)
  }

  #checkAgent(sessionId: string, nodeId: string, open: OpenDataChannel): void {
    const { channelTokens, clock } = this.#options
    const claim = { kind: 'data', channelId: sessionId, nodeId } as const
    if (open.ClientInstanceId !== undefined && open.ClientInstanceId !== nodeId)
      throw new Refusal('the channel belongs to another node')
    if (!channelTokens.check(open.TokenValue, claim, clock.now())) throw new Refusal('the token is not valid')
  }

  async #checkClient(sessionId: string, open: OpenDataChannel): Promise<void> {
    const { store, scope, clock } = this.#options
    if (open.ClientInstanceId !== undefined) throw new Refusal('an agent must sign its request')
    const use = await store.sessions.useClientToken(
      scope,
      sessionId,
      hashClientToken(open.TokenValue),
      clock.now(),
    )
    if (use.accepted) return
    // What a stranger may know: nothing. What the owner of an old token may: that it is old.
    const reasons = {
      'unknown-session': 'the token is not valid',
      wrong: 'the token is not valid',
      ended: 'the session has ended',
      expired: 'the token has expired',
      used: 'the token was used before; ResumeSession gives a new one',
    }
    throw new Refusal(reasons[use.reason])
  }
}
