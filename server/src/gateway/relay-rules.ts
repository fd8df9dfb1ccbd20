import type { Crypto } from '@sallyport/protocol/crypto'
import { ProtocolError } from '@sallyport/protocol/errors'
import { checkFrame, type FrameHeader } from '@sallyport/protocol/message'
import { MessageType, PayloadType } from '@sallyport/protocol/message-types'
import type { Role } from './half.ts'
import { MAXIMUM_DATA_FRAME } from './session-memory.ts'

/** Twice what the largest buffer of an upstream program holds (data-plane.md 21): no number jumps ahead so far. */
export const MAXIMUM_GAP = 200_000

/** data-plane.md 11.4 */
const MAY_SEND: Record<Role, ReadonlySet<string>> = {
  client: new Set([MessageType.inputStreamData, MessageType.acknowledge]),
  agent: new Set([MessageType.outputStreamData, MessageType.acknowledge, MessageType.agentSessionState]),
}
const KNOWN: ReadonlySet<string> = new Set(Object.values(MessageType))

/** Data of the user's, as opposed to sizes, flags and handshakes (data-plane.md 17). */
export function isUserData({ payloadType, payloadLength }: FrameHeader): boolean {
  return payloadLength > 0 && (payloadType === PayloadType.output || payloadType === PayloadType.stderr)
}

/**
 * Reads a frame and checks that this end may send it. Throws `ProtocolError` for what could harm a reader behind us
 * or pass for the word of somebody else. Answers undefined for a type that nobody knows: later programs may have it,
 * and it is not passed on.
 */
export function readFrame(crypto: Crypto, role: Role, frame: Uint8Array): FrameHeader | undefined {
  if (frame.length > MAXIMUM_DATA_FRAME) {
    const message = `a frame of a data channel has at most ${MAXIMUM_DATA_FRAME} bytes, this one ${frame.length}`
    throw new ProtocolError('frame-too-long', message)
  }
  const header = checkFrame(crypto, frame)
  if (MAY_SEND[role].has(header.messageType)) return header
  if (!KNOWN.has(header.messageType)) return undefined
  throw new ProtocolError('unexpected-message', `the ${role} must not send ${header.messageType}`)
}

/** `highest` is the highest number of the same direction that was seen, negative if none was. */
export function checkNumber(what: string, sequenceNumber: number, highest: number): void {
  if (highest < 0 || sequenceNumber <= highest + MAXIMUM_GAP) return
  throw new ProtocolError(
    'bad-sequence-number',
    `${what} ${sequenceNumber} is far beyond ${highest}, the highest so far`,
  )
}
