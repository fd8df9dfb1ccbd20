import { createHash, randomUUID } from 'node:crypto'
import { type RecordedFrame, type RecordedMessage, readRecording } from './recording.ts'

/** What stands for a name in braces of a recording. */
export type Values = Readonly<Record<string, string>>

const HEADER_LENGTH = 116
const HEADER = 120

export function fill(template: string, values: Values): string {
  return template.replace(/\{([a-zA-Z0-9]+)\}/g, (_, name: string) => {
    if (name === 'uuid') return randomUUID()
    const value = values[name]
    if (value === undefined) throw new Error(`the recording needs {${name}}`)
    return value
  })
}

/** The message of a recording that is picked out; it must be there. */
export function recordedMessage<Kind extends 'http' | 'text' | 'frame'>(
  recording: string,
  kind: Kind,
  like: string | RegExp = /(?:)/,
): Extract<RecordedMessage, Record<Kind, unknown>> {
  const found = readRecording(recording).messages.find(message => {
    if (!(kind in message)) return false
    const json = JSON.stringify(message)
    return typeof like === 'string' ? json.includes(like) : like.test(json)
  })
  if (found === undefined) throw new Error(`no ${kind} ${String(like)} in ${recording}`)
  return found as Extract<RecordedMessage, Record<Kind, unknown>>
}

export function recordedFrame(recording: string, like: string | RegExp): RecordedFrame {
  return recordedMessage(recording, 'frame', like).frame
}

/** A frame as it was seen, with another number and payload; byte by byte, by nothing of the product's. */
export function frameBytes(
  template: RecordedFrame,
  payload: Uint8Array,
  sequenceNumber = template.sequenceNumber,
): Buffer {
  const frame = Buffer.alloc(HEADER + payload.length)
  frame.writeUInt32BE(template.headerLength, 0)
  frame.write(template.messageType, 4, 'latin1')
  frame.writeUInt32BE(template.schemaVersion, 36)
  frame.writeBigUInt64BE(BigInt(Date.now()), 40)
  frame.writeBigInt64BE(BigInt(sequenceNumber), 48)
  frame.writeBigUInt64BE(BigInt(template.flags), 56)
  const id = Buffer.from(randomUUID().replaceAll('-', ''), 'hex')
  // The less significant half of the UUID comes first.
  id.copy(frame, 64, 8, 16)
  id.copy(frame, 72, 0, 8)
  createHash('sha256').update(payload).digest().copy(frame, 80)
  frame.writeUInt32BE(template.payloadType, 112)
  frame.writeUInt32BE(payload.length, 116)
  frame.set(payload, HEADER)
  return frame
}

export function templatePayload(template: RecordedFrame, values: Values): Buffer {
  if (template.payloadHex !== undefined) return Buffer.from(template.payloadHex, 'hex')
  return Buffer.from(fill(template.payload ?? '', values))
}

export type ReadFrame = {
  messageType: string
  messageId: string
  sequenceNumber: number
  payloadType: number
  payload: Buffer
}

/**
 * Reads a frame as the stock programs do, which a frame can deafen for good (data-plane.md 2.5): whatever would is an
 * error here, and so a failed test.
 */
export function readFrame(frame: Buffer): ReadFrame {
  const headerLength = frame.readUInt32BE(0)
  if (frame.length < HEADER || headerLength !== HEADER_LENGTH) {
    throw new Error(`this frame deafens a stock program: ${frame.subarray(0, HEADER).toString('latin1')}`)
  }
  const messageType = frame.toString('latin1', 4, 36).replace(/[ \0]+$/, '')
  if (messageType === '' || frame.readBigUInt64BE(40) === 0n) throw new Error('no MessageType or CreatedDate')
  const payload = frame.subarray(HEADER)
  const digest = createHash('sha256').update(payload).digest()
  if (frame.readUInt32BE(116) !== payload.length || !digest.equals(frame.subarray(80, 112))) {
    throw new Error(`a stock plugin drops this ${messageType}: its length or digest is wrong`)
  }
  const id = Buffer.concat([frame.subarray(72, 80), frame.subarray(64, 72)]).toString('hex')
  return {
    messageType,
    messageId: id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    sequenceNumber: Number(frame.readBigInt64BE(48)),
    payloadType: frame.readUInt32BE(112),
    payload,
  }
}
