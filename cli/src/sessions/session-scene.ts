import { Buffer } from 'node:buffer'
import { EventEmitter, once } from 'node:events'
import type { DataChannel } from '@sallyport/protocol/data-channel'
import {
  decodeHandshakeResponse,
  encodeHandshakeComplete,
  encodeHandshakeRequest,
  limitsOf,
} from '@sallyport/protocol/handshake'
import { encodeMessage } from '@sallyport/protocol/message'
import { MessageType, PayloadType } from '@sallyport/protocol/message-types'
import { channelClosedPayload, decodeFlag } from '@sallyport/protocol/payloads'
import { SessionLink } from '@sallyport/protocol/session-link'
import { MemoryLink } from '@sallyport/protocol/transport/memory'
import { nodeClock } from '@sallyport/protocol/transport/node-clock'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import type { Connection } from '@sallyport/protocol/transport/transport'
import type { SessionEnd, SessionOptions, SessionSignal } from '../attach.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { ActivityKind } from './client-activity.ts'
import { runClientSession, type WrongType } from './client-session.ts'

export type SceneOptions = {
  /** What the agent says it is; undefined: no handshake. */
  sessionType?: string
  properties?: unknown
  agentVersion?: string
  /** Whether the agent offers `Sallyport/1`. */
  ownAgent?: boolean
  interactive?: boolean
}

type Side = 'agent' | 'client'

/** For tests: a client session, a gateway that hands frames on and keeps those for an absent end, and an agent. */
export class SessionScene {
  readonly ended: Promise<SessionEnd>
  readonly terminal = new FakeTerminal()
  readonly events = new EventEmitter()
  /** Everything of type Output that the agent has got. */
  received: Buffer = Buffer.alloc(0)
  readonly flags: number[] = []
  clientProblem: string | undefined
  terminated = 0
  dials = 0
  /** What the server says when a new token is asked for. */
  sessionIsOver = false
  /** Nobody answers the client. */
  serverIsGone = false
  /** In place of collecting: takes the agent's input. */
  onInput: ((payload: Uint8Array) => boolean) | undefined
  readonly #options: SceneOptions
  readonly #agent: SessionLink
  readonly #links: Partial<Record<Side, MemoryLink>> = {}
  readonly #ends: Partial<Record<Side, Connection>> = {}
  readonly #kept: Record<Side, Uint8Array[]> = { agent: [], client: [] }
  readonly #handlers = new Map<SessionSignal, (signal: SessionSignal) => void>()

  constructor(kinds: readonly ActivityKind[], options: SceneOptions = {}, wrongType?: WrongType) {
    this.#options = options
    this.terminal.interactive = options.interactive ?? false
    this.#agent = new SessionLink({
      role: 'agent',
      crypto: nodeCrypto,
      clock: nodeClock,
      dial: async () => this.#dial('agent'),
      giveUpAfter: 10_000,
      pingEvery: 10_000,
      onGone: () => {},
      deliver: (type, payload) => this.#deliver(type, payload),
      onWritable: () => this.events.emit('writable'),
    })
    this.ended = runClientSession(kinds, wrongType)(this.#sessionOptions())
    void this.ended.then(() => this.#agent.close())
    this.#agent.open()
  }

  get agent(): DataChannel {
    return this.#agent.channel
  }

  /** Asks for the handshake; own agents begin at the answer, stock ones complete it. */
  shakeHands(): Promise<unknown> {
    const { sessionType = 'Port', properties, agentVersion = '3.3.0.0', ownAgent = true } = this.#options
    const request = encodeHandshakeRequest(agentVersion, sessionType, properties)
    this.agent.sendWhole(PayloadType.handshakeRequest, ownAgent ? request : withoutOffer(request))
    return once(this.events, 'handshake')
  }

  /** Resolves once the agent has got so much output, or a flag. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.events, 'input')
  }

  inputRoom(): void {
    this.#agent.resume()
  }

  signal(signal: SessionSignal): void {
    this.#handlers.get(signal)?.(signal)
  }

  cut(side: Side): void {
    this.#links[side]?.cut()
  }

  /** As the gateway ends a session. */
  close(output: string): void {
    const payload = channelClosedPayload.encode({
      MessageType: MessageType.channelClosed,
      MessageId: '1',
      DestinationId: 'mi-1',
      SessionId: 's-1',
      SchemaVersion: 1,
      CreatedDate: '2024-01-01T00:00:00Z',
      Output: output,
    })
    this.fromGateway(MessageType.channelClosed, payload)
  }

  fromGateway(messageType: string, payload: Uint8Array): void {
    const header = { createdDate: Date.now(), sequenceNumber: 0, flags: 3, payloadType: 0, messageId: ID }
    this.#ends.client?.send(encodeMessage(nodeCrypto, { ...header, messageType, payload }))
  }

  #sessionOptions(): SessionOptions {
    return {
      session: { sessionId: 's-1', tokenValue: 't', streamUrl: 'wss://x/' },
      terminal: this.terminal,
      tls: {},
      resume: async () => (this.sessionIsOver ? undefined : { tokenValue: 't2' }),
      terminate: async () => void this.terminated++,
      onSignals: (signals, handler) => {
        for (const signal of signals) this.#handlers.set(signal, handler)
      },
      dialStream: async () => {
        this.dials++
        if (this.serverIsGone) throw new Error('nobody is there')
        return this.#dial('client')
      },
    }
  }

  #dial(side: Side): Connection {
    const link = new MemoryLink(nodeClock)
    const [near, far] = link.ends
    const other = side === 'agent' ? 'client' : 'agent'
    this.#links[side] = link
    this.#ends[side] = far
    far.events = {
      message: (data, isText) => {
        if (isText) return
        const end = this.#ends[other]
        if (end === undefined) this.#kept[other].push(data)
        else end.send(data)
      },
      drain: () => {},
      pong: () => {},
      close: () => {
        if (this.#ends[side] === far) delete this.#ends[side]
      },
    }
    for (const frame of this.#kept[side].splice(0)) far.send(frame)
    return near
  }

  #deliver(payloadType: number, payload: Uint8Array): boolean {
    if (payloadType === PayloadType.handshakeResponse) this.#handshakeAnswered(payload)
    else if (payloadType === PayloadType.flag) this.flags.push(decodeFlag(payload))
    else if (payloadType === PayloadType.output) {
      if (this.onInput !== undefined) return this.onInput(payload)
      this.received = Buffer.concat([this.received, payload])
    }
    this.events.emit('input')
    return true
  }

  #handshakeAnswered(payload: Uint8Array): void {
    try {
      const { terms } = decodeHandshakeResponse(payload)
      this.agent.sendWhole(PayloadType.handshakeComplete, encodeHandshakeComplete(1))
      if (terms !== undefined) this.agent.agree(limitsOf(terms))
    } catch (error) {
      this.clientProblem = (error as Error).message
    }
    this.events.emit('handshake')
  }
}

const ID = '01234567-89ab-4cde-8f01-23456789abcd'

function withoutOffer(request: Uint8Array): Uint8Array {
  const json = JSON.parse(new TextDecoder().decode(request))
  json.RequestedClientActions.length = 1
  return new TextEncoder().encode(JSON.stringify(json))
}

class FakeTerminal implements Terminal {
  interactive = false
  raw = false
  reading = false
  /** What stdout takes; false while it is full. */
  room = true
  out: Buffer = Buffer.alloc(0)
  readonly notices: string[] = []
  readonly events = new EventEmitter()
  size = () => ({ cols: 80, rows: 24 })
  onSize = (): void => {}
  onInput = (listener: (bytes: Uint8Array) => void): void => {
    this.events.on('input', listener)
    this.resumeInput()
  }
  onInputEnd = (listener: () => void): void => void this.events.on('inputEnd', listener)
  onDrain = (listener: () => void): void => void this.events.on('drain', listener)
  onOutputError = (): void => {}
  suspend = (): void => {}
  pauseInput(): void {
    this.reading = false
  }
  resumeInput(): void {
    this.reading = true
    this.events.emit('reading')
  }
  enterRaw(): void {
    this.raw = true
  }
  restore(): void {
    this.raw = false
  }
  write(bytes: Uint8Array): boolean {
    this.out = Buffer.concat([this.out, bytes])
    this.events.emit('out')
    return this.room
  }
  notice(text: string): void {
    this.notices.push(text)
    this.events.emit('notice')
  }
  async untilOut(length: number): Promise<string> {
    while (this.out.length < length) await once(this.events, 'out')
    return this.out.toString('latin1')
  }
  async untilReading(): Promise<void> {
    while (!this.reading) await once(this.events, 'reading')
  }
  async untilNotice(): Promise<void> {
    if (this.notices.length === 0) await once(this.events, 'notice')
  }
}
