import type { Clock } from '@sallyport/protocol/clock'
import { encodeChannelClosed, encodeControlMessage } from '@sallyport/protocol/control-channel'
import type { Crypto } from '@sallyport/protocol/crypto'
import { ProtocolError } from '@sallyport/protocol/errors'
import { decodeHandshakeResponse, type SallyportTerms } from '@sallyport/protocol/handshake'
import { checkFrame, type FrameHeader, PAYLOAD_OFFSET } from '@sallyport/protocol/message'
import { MessageFlag, MessageType, PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { acknowledgePayload, decodeFlag, sessionStatePayload } from '@sallyport/protocol/payloads'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { AcknowledgedOutput } from './acknowledged-output.ts'
import { Half, type Role } from './half.ts'

// What happens to a frame, in this order:
//   1. it is checked: a malformed one could deafen the reader behind us (data-plane.md 2.5)
//   2. it is dropped if its sender may not send such a message (data-plane.md 11.4)
//   3. what the gateway must know of it is noted: acknowledgements, activity, what the handshake agreed
//   4. the same bytes go to the other end, or wait for it; nothing is decoded and encoded again

const PROTOCOL_ERROR_CLOSE = 1002

const PUBLICATION_PAYLOAD = new Uint8Array(0)

/** Data of the user's, as opposed to sizes, flags and handshakes (data-plane.md 17). */
const USER_DATA: ReadonlySet<number> = new Set([PayloadType.output, PayloadType.stderr])

const MAY_SEND: Record<Role, ReadonlySet<string>> = {
  client: new Set([MessageType.inputStreamData, MessageType.acknowledge]),
  agent: new Set([MessageType.outputStreamData, MessageType.acknowledge, MessageType.agentSessionState]),
}

export type RelayOptions = {
  sessionId: string
  nodeId: string
  crypto: Crypto
  clock: Clock
  pingEvery: number
  pongTimeout: number
  /** A command whose output is separated fails if it is ever paused (data-plane.md 11.1). */
  mayPauseAgent: boolean
  /** The ends agreed on `Sallyport/1` before, at another relay. */
  agreed: boolean
  /** Somebody did something: new stream data, not repetitions, acknowledgements or pings (data-plane.md 17). */
  onActivity(): void
  /** An end has come or gone. */
  onPresence(role: Role, present: boolean, reason: string): void
  /** The agent says that the session runs, or that what it ran has ended. */
  onAgentState(state: string): void
  /** The ends agreed on `Sallyport/1`. */
  onAgreed(terms: SallyportTerms): void
  /** An end broke the protocol: its socket is closed, or only its message dropped, of which the first is told. */
  onViolation(role: Role, error: ProtocolError): void
}

/** Passes the frames of one session between its two ends, unchanged (data-plane.md 11.4, 16.3). */
export class Relay {
  readonly #options: RelayOptions
  readonly #halves: Record<Role, Half>
  readonly #acknowledged: AcknowledgedOutput
  /** Highest sequence number seen from each end: what is not above it is a repetition. */
  readonly #highest: Record<Role, number> = { agent: -1, client: -1 }
  readonly #forgers = new Set<Role>()
  #agreed: boolean
  #closed = false
  #clientLeft = false

  constructor(options: RelayOptions) {
    this.#options = options
    this.#agreed = options.agreed
    this.#acknowledged = new AcknowledgedOutput(() => options.clock.now())
    this.#halves = { agent: this.#half('agent'), client: this.#half('client') }
  }

  /** What is kept for both ends, bytes. */
  get bufferedBytes(): number {
    return this.#halves.agent.bufferedBytes + this.#halves.client.bufferedBytes
  }

  isPresent(role: Role): boolean {
    return this.#halves[role].connected
  }

  /** The client is gone and does not mean to come back. */
  get clientLeft(): boolean {
    return this.#clientLeft && !this.isPresent('client')
  }

  /** Gives an end its (new) socket: first the frames that waited, then start_publication (data-plane.md 11.3). */
  attach(role: Role, connection: Connection): void {
    const half = this.#halves[role]
    const other = this.#halves[otherRole(role)]
    if (role === 'client') this.#clientLeft = false
    half.attach(connection)
    if (!half.connected) return
    this.#options.onPresence(role, true, '')
    if (!other.connected || this.#closed) return
    half.send(this.#publication(MessageType.startPublication))
    other.send(this.#publication(MessageType.startPublication))
  }

  /** Tells the client why, after everything that is on its way to it; nothing is passed on from here. */
  close(output: string): void {
    if (this.#closed) return
    this.#closed = true
    const { crypto, clock, sessionId } = this.#options
    const closing = { sessionId, destinationId: sessionId, output }
    this.#halves.client.send(encodeChannelClosed(crypto, clock.now(), closing))
    this.#halves.agent.sendIfConnected(
      encodeChannelClosed(crypto, clock.now(), { ...closing, destinationId: this.#options.nodeId }),
    )
  }

  /** Closes both sockets and forgets what waited. */
  dispose(reason: string): void {
    this.#halves.client.close(1000, reason)
    this.#halves.agent.close(1000, reason)
  }

  #half(role: Role): Half {
    const { clock, pingEvery, pongTimeout } = this.#options
    return new Half({
      role,
      clock,
      pingEvery,
      pongTimeout,
      onFrame: frame => this.#receive(role, frame),
      onRoom: room => this.#halves[otherRole(role)].hold(!room),
      onLost: (reason, left) => {
        if (role === 'client' && left) this.#clientLeft = true
        this.#lost(role, reason)
      },
    })
  }

  #lost(role: Role, reason: string): void {
    const { mayPauseAgent, onPresence } = this.#options
    if (!this.#closed && (role === 'agent' || mayPauseAgent)) {
      this.#halves[otherRole(role)].sendIfConnected(this.#publication(MessageType.pausePublication))
    }
    onPresence(role, false, reason)
  }

  #receive(role: Role, frame: Uint8Array): void {
    // Bytes that were under way when the session was cut are not delivered (security-cases.md 15).
    if (this.#closed) return
    try {
      const header = checkFrame(this.#options.crypto, frame)
      if (!MAY_SEND[role].has(header.messageType)) {
        throw new ProtocolError('unexpected-message', `the ${role} must not send ${header.messageType}`)
      }
      if (this.#note(role, header, frame)) this.#halves[otherRole(role)].send(frame)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#violation(role, error)
    }
  }

  #violation(role: Role, error: ProtocolError): void {
    // A forged type is dropped; a frame that cannot be read says that the sender has lost its place.
    if (error.code === 'unexpected-message') {
      if (!this.#forgers.has(role)) this.#options.onViolation(role, error)
      this.#forgers.add(role)
      return
    }
    this.#options.onViolation(role, error)
    this.#halves[role].close(PROTOCOL_ERROR_CLOSE, error.message)
    this.#lost(role, error.message)
  }

  /** Answers whether the frame goes on to the other end. */
  #note(role: Role, header: FrameHeader, frame: Uint8Array): boolean {
    switch (header.messageType) {
      case MessageType.acknowledge:
        if (role === 'client') this.#acknowledged.note(frame.subarray(PAYLOAD_OFFSET), this.#highest.agent)
        return true
      case MessageType.inputStreamData:
        this.#noteInput(header.payloadType, frame.subarray(PAYLOAD_OFFSET))
        this.#noteStream(role, header)
        return true
      case MessageType.outputStreamData:
        return this.#noteStream(role, header) || !this.#answerRepeated(header)
      case MessageType.agentSessionState: {
        const state = sessionStatePayload.decode(frame.subarray(PAYLOAD_OFFSET))
        this.#options.onAgentState(state.SessionState)
        return false
      }
      default:
        return false
    }
  }

  /** Answers whether the message is a new one. */
  #noteStream(role: Role, header: FrameHeader): boolean {
    if (header.sequenceNumber <= this.#highest[role]) return false
    this.#highest[role] = header.sequenceNumber
    if (USER_DATA.has(header.payloadType)) this.#options.onActivity()
    return true
  }

  #noteInput(payloadType: number, payload: Uint8Array): void {
    if (payloadType === PayloadType.handshakeResponse) this.#noteHandshake(payload)
    else if (payloadType === PayloadType.flag && decodeFlag(payload) === PayloadFlag.terminateSession) {
      this.#clientLeft = true
    }
  }

  #noteHandshake(payload: Uint8Array): void {
    if (this.#agreed) return
    let terms: SallyportTerms | undefined
    try {
      terms = decodeHandshakeResponse(payload).terms
    } catch (error) {
      // A refusal is for the agent to read and to report; it is no violation.
      if (error instanceof ProtocolError) return
      throw error
    }
    if (terms === undefined) return
    this.#agreed = true
    this.#options.onActivity()
    this.#options.onAgreed(terms)
  }

  /** Acknowledges, in the client's place, a message that the client had before; answers whether it did. */
  #answerRepeated(header: FrameHeader): boolean {
    const mayInfer = !this.#agreed && this.isPresent('client')
    if (!this.#acknowledged.has(header.sequenceNumber, mayInfer)) return false
    const { crypto, clock } = this.#options
    const payload = acknowledgePayload.encode({
      AcknowledgedMessageType: MessageType.outputStreamData,
      AcknowledgedMessageId: header.messageId,
      AcknowledgedMessageSequenceNumber: header.sequenceNumber,
      IsSequentialMessage: true,
    })
    const flags = MessageFlag.synFin
    this.#halves.agent.send(
      encodeControlMessage(crypto, clock.now(), MessageType.acknowledge, payload, { flags }),
    )
    return true
  }

  #publication(messageType: string): Uint8Array {
    const { crypto, clock } = this.#options
    return encodeControlMessage(crypto, clock.now(), messageType, PUBLICATION_PAYLOAD, {
      flags: MessageFlag.synFin,
    })
  }
}

function otherRole(role: Role): Role {
  return role === 'agent' ? 'client' : 'agent'
}
