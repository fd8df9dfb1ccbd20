import { ProtocolError } from '@sallyport/protocol/errors'
import { SessionType } from '@sallyport/protocol/handshake'
import { type FrameHeader, PAYLOAD_OFFSET } from '@sallyport/protocol/message'
import { MessageType, PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { acknowledgePayload, decodeFlag, sessionStatePayload } from '@sallyport/protocol/payloads'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { Half, type Role } from './half.ts'
import { agreedTerms, HandshakeWatch } from './handshake-watch.ts'
import { PluginSetup } from './plugin-setup.ts'
import { RelayFrames } from './relay-frames.ts'
import type { RelayOptions } from './relay-options.ts'
import { isUserData, readFrame } from './relay-rules.ts'
import { StreamNumbers } from './stream-numbers.ts'

// What happens to a frame, in this order:
//   1. it is checked: a malformed one could deafen the reader behind us, a forged one pass for the gateway's word
//   2. what the gateway must know of it is noted: acknowledgements, activity, what the handshake agreed
//   3. the same bytes go to the other end, or wait for it; nothing is decoded and encoded again

const PROTOCOL_ERROR_CLOSE = 1002

/** Passes the frames of one session between its two ends, unchanged (data-plane.md 11.4, 16.3). */
export class Relay {
  readonly #options: RelayOptions
  readonly #halves: Record<Role, Half>
  readonly #numbers: StreamNumbers
  readonly #frames: RelayFrames
  readonly #unknowing = new Set<Role>()
  readonly #handshake: HandshakeWatch
  /** As long as the client may be a stock plugin that must not be spoken to at the wrong moment. */
  #setup: PluginSetup | undefined
  #agreed: boolean
  #closed = false
  #clientLeft = false
  #hadClient = false

  constructor(options: RelayOptions) {
    this.#options = options
    this.#agreed = options.agreed
    this.#numbers = new StreamNumbers(() => options.clock.monotonic())
    this.#frames = new RelayFrames(options)
    this.#handshake = new HandshakeWatch(options.clock)
    this.#halves = { agent: this.#half('agent'), client: this.#half('client') }
    if (options.sessionType === SessionType.port && !options.agreed) this.#setup = this.#newSetup()
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
    half.attach(connection)
    if (role === 'client') this.#clientAttached()
    if (!half.connected) return
    this.#options.onPresence(role, true, '')
    if (this.#closed) return
    if (other.connected) {
      half.send(this.#frames.start())
      other.send(this.#frames.start())
    } else if (role === 'agent' && this.#hadClient) this.#pause('agent')
  }

  /** Tells the client why, after everything that is on its way to it; nothing is passed on from here. */
  close(output: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#halves.client.send(this.#frames.closed('client', output))
    this.#halves.agent.sendIfConnected(this.#frames.closed('agent', output))
  }

  /** Forgets what waits for either end and has not gone out yet. */
  drop(): void {
    this.#halves.client.drop()
    this.#halves.agent.drop()
  }

  /** Says something to the person at the client, if it is there, and no stock client, which would not show it. */
  notify(text: string): void {
    if (this.#agreed && !this.#closed) this.#halves.client.sendIfConnected(this.#frames.notice(text))
  }

  /** Closes both sockets and forgets what waited. */
  dispose(reason: string): void {
    this.#setup?.stop()
    this.#halves.client.close(1000, reason)
    this.#halves.agent.close(1000, reason)
  }

  #half(role: Role): Half {
    return new Half({
      role,
      ...this.#options,
      onFrame: frame => this.#receive(role, frame),
      onRoom: room => this.#halves[otherRole(role)].hold(!room),
      onLost: (reason, left) => {
        if (role === 'client' && left) this.#clientLeft = true
        this.#lost(role, reason)
      },
    })
  }

  #newSetup(): PluginSetup {
    const { client } = this.#halves
    return new PluginSetup({
      clock: this.#options.clock,
      send: frame => client.sendAhead(frame),
      withhold: withheld => client.withhold(withheld),
      onOver: () => {
        this.#setup = undefined
      },
    })
  }

  #clientAttached(): void {
    this.#hadClient = true
    this.#clientLeft = false
    if (this.isPresent('client')) this.#setup?.clientCame()
  }

  #lost(role: Role, reason: string): void {
    if (role === 'client') this.#setup?.clientWent()
    if (!this.#closed) this.#pause(otherRole(role))
    this.#options.onPresence(role, false, reason)
  }

  /** Tells an end that the other is away. It forgets that with every connection, an agent with every message too. */
  #pause(role: Role): void {
    // A command whose output is separated fails if it is ever paused (data-plane.md 11.1).
    if (role === 'agent' && this.#options.sessionType === SessionType.nonInteractiveCommands) return
    this.#halves[role].sendIfConnected(this.#frames.pause())
  }

  #receive(role: Role, frame: Uint8Array): void {
    // Bytes that were under way when the session was cut are not delivered (security-cases.md 15).
    if (this.#closed && this.#setup === undefined) return
    try {
      const header = readFrame(this.#options.crypto, role, frame)
      if (header === undefined) this.#noteUnknown(role)
      else if (this.#note(role, header, frame) && !this.#closed) this.#halves[otherRole(role)].send(frame)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#options.onViolation(role, error)
      this.#halves[role].disconnect(PROTOCOL_ERROR_CLOSE, error.message)
    }
  }

  /** Answers whether the frame goes on to the other end. */
  #note(role: Role, header: FrameHeader, frame: Uint8Array): boolean {
    const payload = frame.subarray(PAYLOAD_OFFSET)
    switch (header.messageType) {
      case MessageType.acknowledge:
        return role === 'agent' ? !this.#agentAcknowledges(payload, frame) : this.#clientAcknowledges(payload)
      case MessageType.inputStreamData:
        return this.#noteInput(header, payload)
      case MessageType.outputStreamData:
        return this.#noteOutput(header, frame)
      default:
        // agent_session_state, for the gateway alone: nothing else is let in.
        this.#noteState(payload)
        return false
    }
  }

  #clientAcknowledges(payload: Uint8Array): boolean {
    const sequenceNumber = this.#numbers.clientAcknowledges(payload)
    this.#setup?.clientAcknowledged(sequenceNumber)
    return true
  }

  /** Answers whether the acknowledgement was sent in its turn already. */
  #agentAcknowledges(payload: Uint8Array, frame: Uint8Array): boolean {
    if (this.#setup === undefined) return false
    const { AcknowledgedMessageSequenceNumber } = acknowledgePayload.decode(payload)
    return this.#setup.agentAcknowledged(AcknowledgedMessageSequenceNumber, frame)
  }

  #noteInput(header: FrameHeader, payload: Uint8Array): boolean {
    if (header.payloadType === PayloadType.handshakeResponse) {
      const waited = this.#handshake.lateBy
      if (waited !== undefined) {
        this.#options.onLateAnswer(waited)
        return false
      }
      this.#setup?.answered(header.sequenceNumber)
      this.#noteTerms(payload)
    } else if (header.payloadType === PayloadType.output) {
      this.#setup?.clientSpoke()
    } else if (header.payloadType === PayloadType.flag) {
      if (decodeFlag(payload) === PayloadFlag.terminateSession) this.#clientLeft = true
    }
    this.#isNew('client', header)
    return true
  }

  #noteOutput(header: FrameHeader, frame: Uint8Array): boolean {
    const isNew = this.#isNew('agent', header)
    if (isNew) this.#handshake.agentSent(header)
    if (this.#setup?.takes(header, frame) === true) return false
    return isNew || !this.#answerRepeated(header)
  }

  #isNew(role: Role, header: FrameHeader): boolean {
    if (!this.#numbers.isNew(role, header.sequenceNumber)) return false
    if (isUserData(header)) this.#options.onActivity()
    return true
  }

  #noteState(payload: Uint8Array): void {
    const { SessionId, SessionState } = sessionStatePayload.decode(payload)
    if (SessionId !== this.#options.sessionId) {
      throw new ProtocolError('unexpected-message', `the agent speaks for another session, ${SessionId}`)
    }
    if (!this.#closed) this.#options.onAgentState(SessionState)
  }

  #noteTerms(payload: Uint8Array): void {
    const terms = this.#agreed ? undefined : agreedTerms(payload)
    if (terms === undefined) return
    this.#agreed = true
    this.#setup?.stop()
    this.#options.onActivity()
    this.#options.onAgreed(terms)
  }

  #noteUnknown(role: Role): void {
    if (!this.#unknowing.has(role)) this.#options.onUnknown(role)
    this.#unknowing.add(role)
  }

  /** Acknowledges, in the client's place, a message that the client had before; answers whether it did. */
  #answerRepeated(header: FrameHeader): boolean {
    const mayInfer = !this.#agreed && this.isPresent('client')
    if (!this.#numbers.clientHas(header.sequenceNumber, mayInfer)) return false
    // An agent that does not read its answers will repeat the question.
    if (this.#halves.agent.congested) return true
    this.#halves.agent.send(this.#frames.acknowledge(header))
    if (!this.isPresent('client') && !this.#closed) this.#pause('agent')
    return true
  }
}

function otherRole(role: Role): Role {
  return role === 'agent' ? 'client' : 'agent'
}
