import { encodeControlMessage } from '@sallyport/protocol/control-channel'
import type { Crypto } from '@sallyport/protocol/crypto'
import { MessageFlag, MessageType } from '@sallyport/protocol/message-types'
import { acknowledgePayload, sessionNoticePayload } from '@sallyport/protocol/payloads'

// What the gateway itself says on a data channel; the end of a session is in control-channel.ts of the protocol.

const PUBLICATION_PAYLOAD = new Uint8Array(0)
const flags = MessageFlag.synFin

/** The other end has come or gone (data-plane.md 11.3); whole frames, which stock agents need (2.5). */
export function publicationFrame(
  crypto: Crypto,
  now: number,
  type: typeof MessageType.startPublication | typeof MessageType.pausePublication,
): Uint8Array {
  return encodeControlMessage(crypto, now, type, PUBLICATION_PAYLOAD, { flags })
}

/** An acknowledgement in the client's place (data-plane.md 16.3). */
export function acknowledgeFrame(
  crypto: Crypto,
  now: number,
  message: { messageId: string; sequenceNumber: number },
): Uint8Array {
  const payload = acknowledgePayload.encode({
    AcknowledgedMessageType: MessageType.outputStreamData,
    AcknowledgedMessageId: message.messageId,
    AcknowledgedMessageSequenceNumber: message.sequenceNumber,
    IsSequentialMessage: true,
  })
  return encodeControlMessage(crypto, now, MessageType.acknowledge, payload, { flags })
}

/** For our own client alone: a stock one would not know what it is. */
export function noticeFrame(crypto: Crypto, now: number, text: string): Uint8Array {
  const payload = sessionNoticePayload.encode({ Text: text })
  return encodeControlMessage(crypto, now, MessageType.sessionNotice, payload, { flags })
}
