import type { Clock } from '@sallyport/protocol/clock'
import { encodeChannelClosed, encodeControlMessage } from '@sallyport/protocol/control-channel'
import type { Crypto } from '@sallyport/protocol/crypto'
import { MessageFlag, MessageType } from '@sallyport/protocol/message-types'
import { acknowledgePayload, sessionNoticePayload } from '@sallyport/protocol/payloads'

const NOTHING = new Uint8Array(0)

type RelayFramesOptions = { sessionId: string; nodeId: string; crypto: Crypto; clock: Clock }

/** What the gateway itself says on a data channel: whole frames, which stock agents need (data-plane.md 2.5). */
export class RelayFrames {
  readonly #options: RelayFramesOptions

  constructor(options: RelayFramesOptions) {
    this.#options = options
  }

  /** The other end has come (data-plane.md 11.3). */
  start(): Uint8Array {
    return this.#encode(MessageType.startPublication, NOTHING)
  }

  /** The other end has gone. */
  pause(): Uint8Array {
    return this.#encode(MessageType.pausePublication, NOTHING)
  }

  /** The session is over, and why. */
  closed(to: 'agent' | 'client', output: string): Uint8Array {
    const { sessionId, nodeId, crypto, clock } = this.#options
    const destinationId = to === 'agent' ? nodeId : sessionId
    return encodeChannelClosed(crypto, clock.now(), { sessionId, destinationId, output })
  }

  /** In the client's place, to the agent (data-plane.md 16.3). */
  acknowledge(message: { messageId: string; sequenceNumber: number }): Uint8Array {
    const payload = acknowledgePayload.encode({
      AcknowledgedMessageType: MessageType.outputStreamData,
      AcknowledgedMessageId: message.messageId,
      AcknowledgedMessageSequenceNumber: message.sequenceNumber,
      IsSequentialMessage: true,
    })
    return this.#encode(MessageType.acknowledge, payload)
  }

  /** For our own client alone: a stock one would not know what it is. */
  notice(text: string): Uint8Array {
    return this.#encode(MessageType.sessionNotice, sessionNoticePayload.encode({ Text: text }))
  }

  #encode(type: string, payload: Uint8Array): Uint8Array {
    const { crypto, clock } = this.#options
    return encodeControlMessage(crypto, clock.now(), type, payload, { flags: MessageFlag.synFin })
  }
}
