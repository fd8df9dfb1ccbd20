import type { Crypto } from './crypto.ts'
import { ProtocolError } from './errors.ts'
import { Incoming } from './incoming.ts'
import { decodeMessage, encodeMessageParts, type Message, PAYLOAD_OFFSET } from './message.ts'
import { MessageFlag, MessageType, PayloadType } from './message-types.ts'
import { Outgoing, type SendLimits } from './outgoing.ts'
import {
  acknowledgePayload,
  type ChannelClosed,
  channelClosedPayload,
  sessionNoticePayload,
} from './payloads.ts'
import { STOCK_MAXIMUM_RTO } from './retransmission.ts'
import { newUuid } from './uuid.ts'

/** What a stock peer is used to (data-plane.md 10.6), without the 1 ms sleep: acknowledgements are the brake. */
export const STOCK_LIMITS: SendLimits = {
  payload: 1024,
  window: 256 * 1024,
  messages: 200,
  minimumRto: 0,
  maximumRto: STOCK_MAXIMUM_RTO,
}

/** So much of the window may be consumed before its sender hears of it. */
const ACKNOWLEDGED_SHARE = 1 / 8

export type DataChannelOptions = {
  /** The agent's end sends `output_stream_data` and receives `input_stream_data`; the client's the reverse. */
  role: 'agent' | 'client'
  crypto: Crypto
  /** Milliseconds since the epoch. */
  now: () => number
  /** Puts a frame on the current connection; called only between `connected` and `disconnected`. */
  transmit: (frame: Uint8Array) => void
  /** Takes a payload, exactly once and in order. False: not now; call `resume` when that changes. */
  deliver: (payloadType: number, payload: Uint8Array) => boolean
  /** After `send` returned false: there is room again. */
  onWritable?: () => void
  /** The gateway ended the session; `Output` is its reason. */
  onClosed?: (closed: ChannelClosed) => void
  /** The gateway says that the far end has come (true) or gone (false). */
  onPeer?: (present: boolean) => void
  /** The gateway has something to say to the user; untrusted text. */
  onNotice?: (text: string) => void
  /**
   * In place of the exception of `send`: twice the window waits for a peer that acknowledges nothing. Called for each
   * message, which is dropped, from wherever it was sent: in a timer or a stream's callback nobody would catch it.
   */
  onOverflow?: (error: ProtocolError) => void
}

/**
 * One end of a data channel: a reliable, ordered stream of typed payloads over connections that come and go
 * (data-plane.md 10). A pure state machine: frames, ticks and a clock come in, frames and payloads go out.
 * Numbers and buffers live as long as the session; the stream survives any number of connections.
 */
export class DataChannel {
  readonly #options: DataChannelOptions
  readonly #outgoing: Outgoing
  readonly #incoming: Incoming
  readonly #sends: string
  readonly #receives: string
  #connected = false
  #cumulative = false
  /** Stands for all that was consumed and is not acknowledged. */
  #unacknowledged: Message | undefined
  #unacknowledgedBytes = 0
  #acknowledgeAtOnce = false
  #wasFull = false
  /** On this connection, something has been said about the far end. */
  #peerAnnounced = false

  constructor(options: DataChannelOptions) {
    this.#options = options
    const agent = options.role === 'agent'
    this.#sends = agent ? MessageType.outputStreamData : MessageType.inputStreamData
    this.#receives = agent ? MessageType.inputStreamData : MessageType.outputStreamData
    this.#outgoing = new Outgoing(STOCK_LIMITS, options.transmit, options.now)
    this.#incoming = new Incoming(message => options.deliver(message.payloadType, message.payload))
  }

  /** Bytes of user data that fit into one message. */
  get maximumPayload(): number {
    return this.#outgoing.limits.payload
  }

  /** Whether a producer may go on sending. */
  get writable(): boolean {
    return this.#outgoing.writable
  }

  /** Whether the peer acknowledged everything. */
  get drained(): boolean {
    return this.#outgoing.drained
  }

  /** How many messages have come through for good, both ways: repetitions do not add to it. */
  get progress(): number {
    return this.#outgoing.acknowledged + this.#incoming.expected
  }

  /** Whether `tick` has anything to look for. */
  get underWay(): boolean {
    return this.#outgoing.underWay
  }

  /** Whether the connection should not be read until `resume` has helped. */
  get congested(): boolean {
    return this.#incoming.congested
  }

  /** Bytes held in both directions: bounded by twice the window, `INCOMING_LIMIT` and one message. */
  get bufferedBytes(): number {
    return this.#outgoing.bufferedBytes + this.#incoming.bufferedBytes
  }

  /**
   * Sends `data`, cut into messages that the peer takes. Answers whether the producer may go on; false asks it
   * to wait for `onWritable`. Throws `ProtocolError` 'buffer-overflow' if it never does, unless there is an `onOverflow`.
   * Empty data is nothing.
   */
  send(payloadType: number, data: Uint8Array): boolean {
    return this.sendParts(payloadType, [data])
  }

  /** As `send` for the concatenation of `parts`; what fits into one message is copied only once. */
  sendParts(payloadType: number, parts: readonly Uint8Array[]): boolean {
    for (const payload of cutParts(parts, this.maximumPayload)) this.#sendMessage(payloadType, payload)
    return this.#checkRoom()
  }

  /** Sends one payload that must not be cut, whatever its size: handshake, size, flag. */
  sendWhole(payloadType: number, payload: Uint8Array): void {
    this.#sendMessage(payloadType, [payload])
    this.#checkRoom()
  }

  /** Both ends speak `Sallyport/1` from here on (handshake.ts). */
  agree(limits: SendLimits): void {
    this.#cumulative = true
    this.#outgoing.limits = limits
  }

  /** A connection is open and its opening frame sent: what the old one may have lost goes out again. */
  connected(): void {
    this.#connected = true
    this.#peerAnnounced = false
    if (this.#cumulative) this.#acknowledgeConsumed()
    this.#outgoing.open()
  }

  disconnected(): void {
    this.#connected = false
    this.#outgoing.hold()
  }

  /**
   * Takes a frame from the connection. Throws `ProtocolError` if it is malformed; nothing of it was used then,
   * and the connection should be given up. Message types that are not for this end are ignored.
   */
  receive(frame: Uint8Array): void {
    const message = decodeMessage(this.#options.crypto, frame)
    switch (message.messageType) {
      case this.#receives:
        this.#peerIsAlive()
        this.#receiveStream(message)
        return
      case MessageType.acknowledge:
        this.#peerIsAlive()
        this.#receiveAcknowledge(message.payload)
        return
      case MessageType.startPublication:
        this.#peerHasCome()
        this.#options.onPeer?.(true)
        return
      case MessageType.pausePublication:
        this.#peerAnnounced = true
        this.#outgoing.hold()
        this.#options.onPeer?.(false)
        return
      case MessageType.channelClosed:
        this.#options.onClosed?.(channelClosedPayload.decode(message.payload))
        return
      case MessageType.sessionNotice:
        this.#options.onNotice?.(sessionNoticePayload.decode(message.payload).Text)
        return
      default:
        return
    }
  }

  /** The consumer that answered false to `deliver` can take more. */
  resume(): void {
    this.#incoming.resume(message => this.#acknowledge(message))
  }

  /**
   * Whether `flush` has something to send, and whether it can wait. A keystroke and its echo would otherwise have
   * two acknowledgements running ahead of them through every process on the way.
   */
  get acknowledgement(): 'none' | 'can-wait' | 'due' {
    if (this.#unacknowledged === undefined) return 'none'
    const much = this.#unacknowledgedBytes >= ACKNOWLEDGED_SHARE * this.#outgoing.limits.window
    return much || this.#acknowledgeAtOnce ? 'due' : 'can-wait'
  }

  /** Sends the acknowledgement that stands for all that was consumed since the last one. */
  flush(): void {
    const message = this.#unacknowledged
    if (message === undefined || !this.#connected) return
    this.#unacknowledged = undefined
    this.#unacknowledgedBytes = 0
    this.#acknowledgeAtOnce = false
    this.#sendAcknowledge(message, this.#incoming.expected - 1)
  }

  /** To be called every some ten milliseconds while `underWay`. */
  tick(): void {
    this.#outgoing.tick()
  }

  #sendMessage(payloadType: number, payload: readonly Uint8Array[]): void {
    const sequenceNumber = this.#outgoing.nextSequenceNumber
    // data-plane.md 2.4: only the first message of an agent carries SYN.
    const first = sequenceNumber === 0 && this.#options.role === 'agent'
    const flags = first ? MessageFlag.syn : MessageFlag.none
    const frame = this.#encode(this.#sends, sequenceNumber, flags, payloadType, payload)
    try {
      this.#outgoing.push(frame)
    } catch (error) {
      const { onOverflow } = this.#options
      if (onOverflow === undefined || !(error instanceof ProtocolError)) throw error
      onOverflow(error)
    }
  }

  #checkRoom(): boolean {
    if (!this.#outgoing.writable) this.#wasFull = true
    return this.#outgoing.writable
  }

  #receiveStream(message: Message): void {
    const reception = this.#incoming.receive(message, consumed => this.#acknowledge(consumed))
    // A duplicate is acknowledged again, or its sender would repeat it for ever (data-plane.md 10.5).
    if (reception === 'duplicate' || reception === 'buffered') this.#acknowledge(message)
  }

  #acknowledge(message: Message): void {
    if (!this.#cumulative || message.sequenceNumber >= this.#incoming.expected) {
      if (this.#connected) this.#sendAcknowledge(message, undefined)
      return
    }
    // The sender of a repetition misses an acknowledgement, that of an exit code waits for one.
    const repeated = message.sequenceNumber < this.#incoming.expected - 1
    if (repeated || message.payloadType === PayloadType.exitCode) this.#acknowledgeAtOnce = true
    this.#unacknowledged = message
    this.#unacknowledgedBytes += PAYLOAD_OFFSET + message.payload.length
  }

  #acknowledgeConsumed(): void {
    const through = this.#incoming.expected - 1
    if (through >= 0)
      this.#sendAcknowledge({ messageId: newUuid(this.#options.crypto), sequenceNumber: through }, through)
  }

  #sendAcknowledge(
    message: Pick<Message, 'messageId' | 'sequenceNumber'>,
    through: number | undefined,
  ): void {
    const payload = acknowledgePayload.encode({
      AcknowledgedMessageType: this.#receives,
      AcknowledgedMessageId: message.messageId,
      AcknowledgedMessageSequenceNumber: message.sequenceNumber,
      IsSequentialMessage: true,
      AcknowledgedThrough: through,
    })
    this.#options.transmit(
      this.#encode(MessageType.acknowledge, 0, MessageFlag.synFin, PayloadType.none, [payload]),
    )
  }

  #receiveAcknowledge(payload: Uint8Array): void {
    const acknowledge = acknowledgePayload.decode(payload)
    this.#outgoing.acknowledge(
      acknowledge.AcknowledgedMessageSequenceNumber,
      this.#cumulative ? acknowledge.AcknowledgedThrough : undefined,
    )
    if (this.#wasFull && this.#outgoing.writable) {
      this.#wasFull = false
      this.#options.onWritable?.()
    }
  }

  /** Any input or acknowledgement ends a pause (data-plane.md 11.1). */
  #peerIsAlive(): void {
    if (this.#connected && this.#outgoing.held) this.#outgoing.release()
  }

  /**
   * The far end's connection is a new one, and what went to its old one may be lost. Not so the first time on
   * a connection of ours: all of it went out when that was opened, and the gateway kept it for a far end that
   * was away.
   */
  #peerHasCome(): void {
    if (this.#connected && (this.#peerAnnounced || this.#outgoing.held)) this.#outgoing.open()
    this.#peerAnnounced = true
  }

  #encode(
    messageType: string,
    sequenceNumber: number,
    flags: number,
    payloadType: number,
    payload: readonly Uint8Array[],
  ) {
    const { crypto, now } = this.#options
    const header = {
      messageType,
      createdDate: now(),
      sequenceNumber,
      flags,
      messageId: newUuid(crypto),
      payloadType,
    }
    return encodeMessageParts(crypto, header, payload)
  }
}

/** Cuts the concatenation of `parts` every `size` bytes, without copying. Nothing comes of no bytes. */
function cutParts(parts: readonly Uint8Array[], size: number): Array<readonly Uint8Array[]> {
  const total = parts.reduce((sum, part) => sum + part.length, 0)
  if (total <= size) return total === 0 ? [] : [parts]
  const pieces: Uint8Array[][] = []
  let piece: Uint8Array[] = []
  let room = size
  for (const part of parts) {
    for (let offset = 0; offset < part.length; ) {
      const taken = part.subarray(offset, offset + room)
      piece.push(taken)
      offset += taken.length
      room -= taken.length
      if (room > 0) continue
      pieces.push(piece)
      piece = []
      room = size
    }
  }
  return piece.length === 0 ? pieces : [...pieces, piece]
}
