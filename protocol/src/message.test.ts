import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import vectors from '../vectors/messages.json' with { type: 'json' }
import { fromHex, toHex } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import {
  checkFrame,
  decodeMessage,
  encodeMessage,
  MAXIMUM_FRAME_SIZE,
  type Message,
  PAYLOAD_OFFSET,
} from './message.ts'
import { nodeCrypto } from './transport/node-crypto.ts'

type Fields = (typeof vectors.frames)[number]['fields']
const messageOf = (fields: Fields): Message => ({ ...fields, payload: fromHex(fields.payload) })
const fieldsOf = ({ payload, ...header }: Message): Fields => ({ ...header, payload: toHex(payload) })
const decode = (frame: Uint8Array) => decodeMessage(nodeCrypto, frame)

/** The same layout once more, written as plainly as possible. */
function naiveEncode(message: Message): Buffer {
  const header = Buffer.alloc(120)
  header.writeUInt32BE(116, 0)
  header.fill(' ', 4, 36).write(message.messageType, 4, 'utf8')
  header.writeUInt32BE(1, 36)
  header.writeBigUInt64BE(BigInt(message.createdDate), 40)
  header.writeBigInt64BE(BigInt(message.sequenceNumber), 48)
  header.writeBigUInt64BE(BigInt(message.flags), 56)
  const id = Buffer.from(message.messageId.replaceAll('-', ''), 'hex')
  id.copy(header, 64, 8, 16)
  id.copy(header, 72, 0, 8)
  createHash('sha256').update(message.payload).digest().copy(header, 80)
  header.writeUInt32BE(message.payloadType, 112)
  header.writeUInt32BE(message.payload.length, 116)
  return Buffer.concat([header, message.payload])
}

const messages: fc.Arbitrary<Message> = fc.record({
  messageType: fc.stringMatching(/^[a-z_]{1,32}$/),
  createdDate: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  sequenceNumber: fc.maxSafeNat(),
  flags: fc.integer({ min: 0, max: 3 }),
  messageId: fc.uuid(),
  payloadType: fc.integer({ min: 0, max: 0xffffffff }),
  payload: fc.uint8Array({ maxLength: 2_000 }),
})

describe('the vectors', () => {
  test.each(vectors.frames)('$name ($section) is written and read', ({ fields, hex, sha256 }) => {
    const frame = fromHex(hex)
    expect(toHex(encodeMessage(nodeCrypto, messageOf(fields)))).toBe(hex)
    expect(fieldsOf(decode(frame))).toEqual(fields)
    expect(createHash('sha256').update(frame).digest('hex')).toBe(sha256)
  })

  test.each(vectors.readable)('$name is read', ({ fields, hex }) => {
    expect(fieldsOf(decode(fromHex(hex)))).toEqual(fields)
  })

  test.each(vectors.malformed)('$name: refused as $error', ({ hex, error }) => {
    const refusal = expect.objectContaining({ name: 'ProtocolError', code: error, retryable: true })
    expect(() => decode(fromHex(hex))).toThrow(refusal)
    expect(() => checkFrame(nodeCrypto, fromHex(hex))).toThrow(refusal)
  })
})

describe('any message', () => {
  test('is what a second implementation writes, and comes back whole', () => {
    fc.assert(
      fc.property(messages, message => {
        const frame = encodeMessage(nodeCrypto, message)
        expect(toHex(frame)).toBe(naiveEncode(message).toString('hex'))
        expect(fieldsOf(decode(frame))).toEqual(fieldsOf(message))
        const { payload, ...header } = message
        expect(checkFrame(nodeCrypto, frame)).toEqual({ ...header, payloadLength: payload.length })
      }),
    )
  })

  test('cut anywhere is refused', () => {
    fc.assert(
      fc.property(
        messages,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (message, part) => {
          const frame = encodeMessage(nodeCrypto, message)
          expect(() => decode(frame.subarray(0, Math.floor(part * frame.length)))).toThrow(ProtocolError)
        },
      ),
    )
  })

  test('with bytes changed is refused, or differs only in what no digest covers', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(messages, changes, (message, at) => {
        const frame = encodeMessage(nodeCrypto, message)
        for (const [position, bits] of at)
          frame[position % frame.length] = (frame[position % frame.length] ?? 0) ^ bits
        try {
          expect(toHex(decode(frame).payload)).toBe(toHex(message.payload))
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
    )
  })

  test('of random bytes is refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), bytes => {
        expect(() => decode(bytes)).toThrow(ProtocolError)
      }),
    )
  })
})

describe('limits', () => {
  const message = messageOf((vectors.frames[0] as (typeof vectors.frames)[number]).fields)

  test('a frame of the largest size is read, one byte more is not', () => {
    const payload = new Uint8Array(MAXIMUM_FRAME_SIZE - PAYLOAD_OFFSET)
    expect(decode(encodeMessage(nodeCrypto, { ...message, payload })).payload.length).toBe(payload.length)
    const larger = encodeMessage(nodeCrypto, { ...message, payload: new Uint8Array(payload.length + 1) })
    expect(() => decode(larger)).toThrow(expect.objectContaining({ code: 'frame-too-long' }))
  })

  test.each(['', 'x'.repeat(33), 'é'.repeat(17)])('nobody can write the MessageType %j', messageType => {
    expect(() => encodeMessage(nodeCrypto, { ...message, messageType })).toThrow(RangeError)
  })

  test('the payload is a view of the frame, not a copy', () => {
    const frame = encodeMessage(nodeCrypto, message)
    expect(decode(frame).payload.buffer).toBe(frame.buffer)
  })
})
