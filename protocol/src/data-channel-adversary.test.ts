import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import vectors from '../vectors/messages.json' with { type: 'json' }
import { fromHex, toHex, utf8 } from './bytes.ts'
import { DataChannel, STOCK_LIMITS } from './data-channel.ts'
import { ProtocolError } from './errors.ts'
import { limitsOf } from './handshake.ts'
import { INCOMING_LIMIT } from './incoming.ts'
import { ManualClock } from './manual-clock.ts'
import { encodeMessage, type Message } from './message.ts'
import { MessageType, PayloadType } from './message-types.ts'
import { nodeCrypto } from './transport/node-crypto.ts'

// What a peer may do that wishes us ill. It may end its own session; it may neither crash the process, nor fill
// its memory, nor make it send more than it was sent.

const TERMS = limitsOf({ payload: 64 * 1024, window: 1024 * 1024 })

function start(deliver: () => boolean = () => true) {
  const clock = new ManualClock()
  const count = { frames: 0, bytes: 0, delivered: 0 }
  const channel = new DataChannel({
    role: 'agent',
    crypto: nodeCrypto,
    now: clock.now,
    transmit: frame => {
      count.frames++
      count.bytes += frame.length
    },
    deliver: () => {
      const taken = deliver()
      if (taken) count.delivered++
      return taken
    },
  })
  channel.connected()
  return { channel, clock, count }
}

function frame(messageType: string, payload: Uint8Array, fields: Partial<Message> = {}): Uint8Array {
  return encodeMessage(nodeCrypto, {
    messageType,
    createdDate: 1,
    sequenceNumber: 0,
    flags: 0,
    messageId: '01234567-89ab-4cde-8f01-23456789abcd',
    payloadType: PayloadType.output,
    payload,
    ...fields,
  })
}

const acknowledge = (sequenceNumber: string, through?: string) =>
  frame(
    MessageType.acknowledge,
    utf8(
      `{"AcknowledgedMessageType":"output_stream_data","AcknowledgedMessageId":"x","AcknowledgedMessageSequenceNumber":${sequenceNumber}${through === undefined ? '' : `,"AcknowledgedThrough":${through}`}}`,
    ),
  )

describe('frames', () => {
  test.each(vectors.malformed)(
    '$name: an error, after which the channel goes on as if nothing had come',
    ({ hex }) => {
      const { channel, count } = start()
      expect(() => channel.receive(fromHex(hex))).toThrow(ProtocolError)
      channel.receive(frame(MessageType.inputStreamData, utf8('x')))
      expect(count).toMatchObject({ frames: 1, delivered: 1 })
    },
  )

  test('huge gaps are neither kept nor acknowledged', () => {
    const { channel, count } = start()
    for (let i = 0; i < 1_000; i++) {
      const sequenceNumber = Number.MAX_SAFE_INTEGER - i
      channel.receive(frame(MessageType.inputStreamData, new Uint8Array(1_000), { sequenceNumber }))
    }
    expect(channel.bufferedBytes).toBe(0)
    expect(count.frames).toBe(0)
  })

  test('a gap that is never filled costs so much and no more, with large payloads', () => {
    const { channel } = start()
    for (let sequenceNumber = 1; sequenceNumber <= 12; sequenceNumber++) {
      channel.receive(frame(MessageType.inputStreamData, new Uint8Array(1_000_000), { sequenceNumber }))
    }
    expect(channel.bufferedBytes).toBeLessThanOrEqual(INCOMING_LIMIT)
    expect(channel.bufferedBytes).toBeGreaterThan(INCOMING_LIMIT / 2)
    // Waiting for a missing message is no reason to stop reading: it would never come.
    expect(channel.congested).toBe(false)
  })

  test('a consumer that never takes anything stops the reading, and bounds what is kept', () => {
    const { channel, count } = start(() => false)
    for (let sequenceNumber = 0; sequenceNumber < 12; sequenceNumber++) {
      channel.receive(frame(MessageType.inputStreamData, new Uint8Array(1_000_000), { sequenceNumber }))
    }
    expect(channel.congested).toBe(true)
    expect(channel.bufferedBytes).toBeLessThanOrEqual(INCOMING_LIMIT + 1_000_000)
    expect(count).toEqual({ frames: 0, bytes: 0, delivered: 0 })
  })
})

describe('acknowledgements', () => {
  const numbers = ['-1', '2.5', '1e15', '1e308', '-0', '3', '9007199254740993']
  test.each(numbers.flatMap(number => numbers.map(through => [number, through])))(
    'of %s through %s claim nothing that was not sent',
    (number, through) => {
      const { channel } = start()
      channel.agree(TERMS)
      channel.disconnected()
      channel.send(PayloadType.output, new Uint8Array(200_000))
      const before = channel.bufferedBytes
      channel.receive(acknowledge(number, through))
      expect(channel.bufferedBytes).toBe(before)
      channel.connected()
      channel.receive(acknowledge(number, through))
      channel.send(PayloadType.output, utf8('after'))
      expect(channel.drained).toBe(false)
    },
  )

  test.each([
    '{}',
    '[]',
    'null',
    '{"AcknowledgedMessageType":1}',
    '{"AcknowledgedMessageType":"","AcknowledgedMessageId":"","AcknowledgedMessageSequenceNumber":"3"}',
    '{"AcknowledgedMessageType":"","AcknowledgedMessageId":"","AcknowledgedMessageSequenceNumber":3,"AcknowledgedThrough":"3"}',
    '{"__proto__":{"AcknowledgedMessageType":"","AcknowledgedMessageId":"","AcknowledgedMessageSequenceNumber":0}}',
    '['.repeat(400_000),
    'x'.repeat(600_000),
  ])('that say %.60s are an error', text => {
    const { channel } = start()
    channel.send(PayloadType.output, utf8('x'))
    expect(() => channel.receive(frame(MessageType.acknowledge, utf8(text)))).toThrow(ProtocolError)
    expect(channel.drained).toBe(false)
  })

  test('a flood of them makes us send nothing, even while lost messages are being repeated', () => {
    const { channel, clock, count } = start()
    channel.send(PayloadType.output, new Uint8Array(100 * 1_024))
    clock.advance(300)
    channel.tick()
    count.frames = 0
    const stale = [acknowledge('1000'), acknowledge('-7'), acknowledge('0.5')]
    for (let i = 0; i < 3_000; i++) channel.receive(stale[i % 3] as Uint8Array)
    expect(count.frames).toBe(0)
    // Each that is news brings back two messages, and each message once.
    for (let number = 0; number < 99; number++) channel.receive(acknowledge(String(number)))
    expect(count.frames).toBeLessThanOrEqual(99)
  })
})

describe('repetitions', () => {
  test('of one message are each answered with one acknowledgement, smaller than a stock message', () => {
    const { channel, count } = start()
    const repeated = frame(MessageType.inputStreamData, new Uint8Array(1_024))
    for (let i = 0; i < 1_000; i++) channel.receive(repeated)
    expect(count).toMatchObject({ frames: 1_000, delivered: 1 })
    expect(count.bytes).toBeLessThan(1_000 * repeated.length)
  })

  test('in one turn between our own are answered once', () => {
    const { channel, count } = start()
    channel.agree(TERMS)
    const repeated = frame(MessageType.inputStreamData, utf8('x'))
    for (let i = 0; i < 1_000; i++) channel.receive(repeated)
    channel.flush()
    expect(count).toMatchObject({ frames: 1, delivered: 1 })
  })

  test('a peer that acknowledges nothing is sent one message per time-out, ever more seldom', () => {
    const { channel, clock, count } = start()
    channel.send(PayloadType.output, new Uint8Array(100 * 1_024))
    count.frames = 0
    for (let passed = 0; passed < 60_000; passed += 50) {
      clock.advance(50)
      channel.tick()
    }
    expect(count.frames).toBeGreaterThan(30)
    expect(count.frames).toBeLessThan(65)
  })
})

describe('anything at all', () => {
  const json = fc.oneof(
    fc.json(),
    fc
      .tuple(fc.oneof(fc.integer({ min: -5, max: 300 }), fc.double()), fc.option(fc.double()))
      .map(([number, through]) =>
        JSON.stringify({
          AcknowledgedMessageType: 'output_stream_data',
          AcknowledgedMessageId: 'x',
          AcknowledgedMessageSequenceNumber: number,
          AcknowledgedThrough: through,
        }),
      ),
  )
  const messages = fc.record({
    messageType: fc.constantFrom(...Object.values(MessageType), 'unknown'),
    sequenceNumber: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.maxSafeNat()),
    payloadType: fc.integer({ min: 0, max: 14 }),
    payload: fc.oneof(json.map(utf8), fc.uint8Array({ maxLength: 100 })),
  })
  const steps = fc.array(
    fc.oneof(
      { weight: 8, arbitrary: messages },
      {
        weight: 3,
        arbitrary: fc.constantFrom('tick', 'flush', 'resume', 'connected', 'disconnected', 'send', 'agree'),
      },
    ),
    { maxLength: 60 },
  )

  test('ends in payloads in order or in a ProtocolError, within the bounds', () => {
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.boolean()), (sequence, busy) => {
        const { channel, clock } = start(() => busy.next().value === true)
        for (const step of sequence) {
          clock.advance(100)
          try {
            if (typeof step !== 'string') channel.receive(frame(step.messageType, step.payload, step))
            else if (step === 'send') channel.send(PayloadType.output, new Uint8Array(3_000))
            else if (step === 'agree') channel.agree(TERMS)
            else channel[step as 'tick' | 'flush' | 'resume' | 'connected' | 'disconnected']()
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError)
          }
          expect(channel.bufferedBytes).toBeGreaterThanOrEqual(0)
          expect(channel.bufferedBytes).toBeLessThanOrEqual(3 * STOCK_LIMITS.window)
        }
        // Whatever came, an honest acknowledgement still clears the account.
        channel.disconnected()
        channel.connected()
        channel.agree(TERMS)
        channel.receive(acknowledge('0', '1e9'))
        expect(channel.drained).toBe(true)
      }),
      { numRuns: 150 },
    )
  })

  test('a payload is handed over as it was sent', () => {
    const received: string[] = []
    const channel = new DataChannel({
      role: 'client',
      crypto: nodeCrypto,
      now: () => 1,
      transmit: () => {},
      deliver: (type, payload) => received.push(`${type} ${toHex(payload)}`) > 0,
    })
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 50 }),
        fc.integer({ min: 0, max: 0xffffffff }),
        (payload, payloadType) => {
          const sequenceNumber = received.length
          channel.receive(frame(MessageType.outputStreamData, payload, { sequenceNumber, payloadType }))
          expect(received[sequenceNumber]).toBe(`${payloadType} ${toHex(payload)}`)
        },
      ),
    )
  })
})
