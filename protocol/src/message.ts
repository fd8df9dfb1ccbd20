import { ByteReader, ByteWriter, decodeUtf8, equalBytes, utf8 } from './bytes.ts'
import type { Crypto } from './crypto.ts'
import { ProtocolError, type ProtocolErrorCode } from './errors.ts'
import { readUuid, writeUuid } from './uuid.ts'

// The binary envelope, one per websocket message; all integers big-endian (data-plane.md 2.1).
//
//   HeaderLength | MessageType | SchemaVersion | CreatedDate | SequenceNumber | Flags
//   | MessageId | PayloadDigest | PayloadType | PayloadLength | Payload
const HEADER_LENGTH_SIZE = 4
const MESSAGE_TYPE_SIZE = 32
const SCHEMA_VERSION_SIZE = 4
const CREATED_DATE_SIZE = 8
const SEQUENCE_NUMBER_SIZE = 8
const FLAGS_SIZE = 8
const MESSAGE_ID_SIZE = 16
const DIGEST_SIZE = 32
const PAYLOAD_TYPE_SIZE = 4
const PAYLOAD_LENGTH_SIZE = 4

const MESSAGE_TYPE_OFFSET = HEADER_LENGTH_SIZE
const SCHEMA_VERSION_OFFSET = MESSAGE_TYPE_OFFSET + MESSAGE_TYPE_SIZE
const CREATED_DATE_OFFSET = SCHEMA_VERSION_OFFSET + SCHEMA_VERSION_SIZE
const SEQUENCE_NUMBER_OFFSET = CREATED_DATE_OFFSET + CREATED_DATE_SIZE
const FLAGS_OFFSET = SEQUENCE_NUMBER_OFFSET + SEQUENCE_NUMBER_SIZE
const MESSAGE_ID_OFFSET = FLAGS_OFFSET + FLAGS_SIZE
const DIGEST_OFFSET = MESSAGE_ID_OFFSET + MESSAGE_ID_SIZE
const PAYLOAD_TYPE_OFFSET = DIGEST_OFFSET + DIGEST_SIZE

/** The value of HeaderLength: the offset of PayloadLength. */
export const HEADER_LENGTH = PAYLOAD_TYPE_OFFSET + PAYLOAD_TYPE_SIZE
/** Where the payload starts, and so the size of the smallest frame. */
export const PAYLOAD_OFFSET = HEADER_LENGTH + PAYLOAD_LENGTH_SIZE
/** Our choice; stock peers write at most 142,000 bytes (data-plane.md 2.5). */
export const MAXIMUM_FRAME_SIZE = 1024 * 1024

const SCHEMA_VERSION = 1
const SPACE = 0x20

export type Message = {
  messageType: string
  /** Milliseconds since the epoch; 0 is refused by stock agents. */
  createdDate: number
  sequenceNumber: number
  flags: number
  /** Lower-case hexadecimal with hyphens. */
  messageId: string
  payloadType: number
  payload: Uint8Array
}

/** What a relay has to know of a frame that it passes on unread. */
export type FrameHeader = Omit<Message, 'payload'> & { payloadLength: number }

export function encodeMessage(crypto: Crypto, message: Message): Uint8Array {
  return encodeMessageParts(crypto, message, [message.payload])
}

/** As `encodeMessage`, for a payload that lies in pieces: they are copied once, to their place in the frame. */
export function encodeMessageParts(
  crypto: Crypto,
  header: Omit<Message, 'payload'>,
  parts: readonly Uint8Array[],
): Uint8Array {
  const payloadLength = parts.reduce((size, part) => size + part.length, 0)
  const frame = new Uint8Array(PAYLOAD_OFFSET + payloadLength)
  let offset = PAYLOAD_OFFSET
  for (const part of parts) {
    frame.set(part, offset)
    offset += part.length
  }
  frame.set(encodeHeader(header, crypto.sha256(frame.subarray(PAYLOAD_OFFSET)), payloadLength))
  return frame
}

function encodeHeader(
  header: Omit<Message, 'payload'>,
  digest: Uint8Array,
  payloadLength: number,
): Uint8Array {
  return new ByteWriter(PAYLOAD_OFFSET)
    .uint32(HEADER_LENGTH)
    .bytes(paddedType(header.messageType))
    .uint32(SCHEMA_VERSION)
    .uint64(BigInt(header.createdDate))
    .int64(BigInt(header.sequenceNumber))
    .uint64(BigInt(header.flags))
    .bytes(writeUuid(header.messageId))
    .bytes(digest)
    .uint32(header.payloadType)
    .uint32(payloadLength)
    .finish()
}

/** Reads a whole frame. Throws `ProtocolError` for anything that `checkFrame` refuses. The payload is a view. */
export function decodeMessage(crypto: Crypto, frame: Uint8Array): Message {
  const { payloadLength: _, ...header } = checkFrame(crypto, frame)
  return { ...header, payload: frame.subarray(PAYLOAD_OFFSET) }
}

/**
 * Reads the header and checks everything that could harm a reader behind us: a stock reader that is given a
 * HeaderLength beyond the frame's end goes deaf for good (data-plane.md 2.5, 11.4).
 */
export function checkFrame(crypto: Crypto, frame: Uint8Array): FrameHeader {
  const header = readHeader(frame)
  const payload = frame.subarray(PAYLOAD_OFFSET)
  if (header.payloadLength !== payload.length) {
    throw damaged(
      'bad-payload-length',
      `PayloadLength is ${header.payloadLength}, but ${payload.length} bytes follow the header`,
    )
  }
  if (!equalBytes(crypto.sha256(payload), frame.subarray(DIGEST_OFFSET, PAYLOAD_TYPE_OFFSET))) {
    throw damaged('bad-digest', 'PayloadDigest is not the SHA-256 of the payload')
  }
  return header
}

function readHeader(frame: Uint8Array): FrameHeader {
  if (frame.length < PAYLOAD_OFFSET) {
    throw damaged('frame-too-short', `a frame has at least ${PAYLOAD_OFFSET} bytes, this one ${frame.length}`)
  }
  if (frame.length > MAXIMUM_FRAME_SIZE) {
    throw damaged(
      'frame-too-long',
      `a frame has at most ${MAXIMUM_FRAME_SIZE} bytes, this one ${frame.length}`,
    )
  }
  const reader = new ByteReader(frame)
  const headerLength = reader.uint32()
  if (headerLength !== HEADER_LENGTH) {
    throw damaged('bad-header-length', `HeaderLength is ${headerLength}, not ${HEADER_LENGTH}`)
  }
  const messageType = readType(reader.bytes(MESSAGE_TYPE_SIZE))
  reader.bytes(SCHEMA_VERSION_SIZE)
  const createdDate = Number(reader.uint64())
  if (createdDate === 0) throw damaged('bad-created-date', 'CreatedDate is 0')
  const sequenceNumber = Number(reader.int64())
  if (sequenceNumber < 0 || !Number.isSafeInteger(sequenceNumber)) {
    throw damaged('bad-sequence-number', `SequenceNumber is ${sequenceNumber}`)
  }
  const flags = Number(reader.uint64())
  const messageId = readUuid(reader.bytes(MESSAGE_ID_SIZE))
  reader.bytes(DIGEST_SIZE)
  const payloadType = reader.uint32()
  const payloadLength = reader.uint32()
  return { messageType, createdDate, sequenceNumber, flags, messageId, payloadType, payloadLength }
}

/** What cannot be read may have been damaged on its way: over a new connection it may come whole. */
function damaged(code: ProtocolErrorCode, message: string): ProtocolError {
  return new ProtocolError(code, message, { retryable: true })
}

function paddedType(messageType: string): Uint8Array {
  const text = utf8(messageType)
  if (text.length === 0 || text.length > MESSAGE_TYPE_SIZE) {
    throw new RangeError(`a MessageType has 1 to ${MESSAGE_TYPE_SIZE} bytes: '${messageType}'`)
  }
  const field = new Uint8Array(MESSAGE_TYPE_SIZE).fill(SPACE)
  field.set(text)
  return field
}

/** Readers strip NULs, then white space, at both ends (data-plane.md 2.5). */
function readType(field: Uint8Array): string {
  const text = decodeUtf8(field)
    .replace(/^\0+|\0+$/g, '')
    .trim()
  if (text === '') throw damaged('bad-message-type', 'MessageType is empty')
  return text
}
