import { describe, expect, test } from 'vitest'
import { concatBytes, decodeUtf8, utf8 } from './bytes.ts'
import { encodeChannelClosed, encodeControlMessage } from './control-channel.ts'
import { DataChannel, type DataChannelOptions, STOCK_LIMITS } from './data-channel.ts'
import { limitsOf } from './handshake.ts'
import { ManualClock } from './manual-clock.ts'
import { decodeMessage, encodeMessage, type Message } from './message.ts'
import { MessageType, PayloadType } from './message-types.ts'
import { acknowledgePayload } from './payloads.ts'
import { nodeCrypto } from './transport/node-crypto.ts'

const ID = '01234567-89ab-4cde-8f01-23456789abcd'

/** A channel whose far end is the test. */
function start(role: DataChannelOptions['role'] = 'agent', options: Partial<DataChannelOptions> = {}) {
  const clock = new ManualClock()
  const sent: Message[] = []
  const delivered: string[] = []
  const peer: boolean[] = []
  const channel = new DataChannel({
    role,
    crypto: nodeCrypto,
    now: clock.now,
    transmit: frame => sent.push(decodeMessage(nodeCrypto, frame)),
    deliver: (_, payload) => delivered.push(decodeUtf8(payload)) > 0,
    onPeer: present => peer.push(present),
    ...options,
  })
  const incomingType = role === 'agent' ? MessageType.inputStreamData : MessageType.outputStreamData
  const outgoingType = role === 'agent' ? MessageType.outputStreamData : MessageType.inputStreamData
  const frame = (fields: Partial<Message>) =>
    encodeMessage(nodeCrypto, {
      messageType: incomingType,
      createdDate: 1,
      sequenceNumber: 0,
      flags: 0,
      messageId: ID,
      payloadType: PayloadType.output,
      payload: utf8('x'),
      ...fields,
    })
  return {
    channel,
    clock,
    delivered,
    peer,
    frame,
    outgoingType,
    incomingType,
    receive: (fields: Partial<Message>) => channel.receive(frame(fields)),
    publication: (messageType: string) =>
      channel.receive(encodeControlMessage(nodeCrypto, clock.now(), messageType, new Uint8Array(0))),
    acknowledge: (sequenceNumber: number, through?: number) =>
      channel.receive(
        frame({
          messageType: MessageType.acknowledge,
          payload: acknowledgePayload.encode({
            AcknowledgedMessageType: outgoingType,
            AcknowledgedMessageId: ID,
            AcknowledgedMessageSequenceNumber: sequenceNumber,
            IsSequentialMessage: true,
            AcknowledgedThrough: through,
          }),
        }),
      ),
    take: () => sent.splice(0),
    /** Sequence numbers of the stream messages that went out; of acknowledgements, what they say. */
    takeNumbers: () =>
      sent.splice(0).map(message => {
        if (message.messageType !== MessageType.acknowledge) return message.sequenceNumber
        const { AcknowledgedMessageSequenceNumber, AcknowledgedThrough } = acknowledgePayload.decode(
          message.payload,
        )
        return `ack ${AcknowledgedMessageSequenceNumber}${AcknowledgedThrough === undefined ? '' : ` through ${AcknowledgedThrough}`}`
      }),
  }
}

const TERMS = limitsOf({ payload: 64 * 1024, window: 1024 * 1024 })

describe('what goes out', () => {
  test.each([
    ['agent', MessageType.outputStreamData, [1, 0]],
    ['client', MessageType.inputStreamData, [0, 0]],
  ] as const)('the %s numbers %s from 0; only an agent’s first carries SYN', (role, messageType, flags) => {
    const { channel, take } = start(role)
    channel.connected()
    channel.send(PayloadType.output, utf8('a'))
    channel.sendWhole(PayloadType.flag, utf8('b'))
    expect(take()).toMatchObject([
      {
        messageType,
        sequenceNumber: 0,
        flags: flags[0],
        payloadType: PayloadType.output,
        payload: utf8('a'),
      },
      { messageType, sequenceNumber: 1, flags: flags[1], payloadType: PayloadType.flag, payload: utf8('b') },
    ])
  })

  test('data is cut to what a stock peer is used to, and empty data is nothing', () => {
    const { channel, take } = start()
    channel.connected()
    channel.send(PayloadType.output, new Uint8Array(2_500))
    expect(channel.send(PayloadType.output, new Uint8Array(0))).toBe(true)
    expect(take().map(message => message.payload.length)).toEqual([1_024, 1_024, 452])
    channel.agree(TERMS)
    channel.send(PayloadType.output, new Uint8Array(100_000))
    expect(take().map(message => message.payload.length)).toEqual([65_536, 34_464])
  })

  test('data in parts is sent as if it were whole', () => {
    const { channel, take } = start()
    channel.connected()
    const whole = Uint8Array.from({ length: 5_000 }, (_, i) => i * 7)
    const cutAt = (...cuts: number[]) =>
      [0, ...cuts].map((cut, i) => whole.subarray(cut, cuts[i] ?? whole.length))
    const sizes = []
    for (const parts of [
      [whole],
      cutAt(8),
      cutAt(8, 8, 1_024),
      cutAt(1_023, 1_025, 4_999),
      cutAt(0, 5_000),
    ]) {
      channel.sendParts(PayloadType.output, parts)
      const payloads = take().map(message => message.payload)
      expect(concatBytes(payloads)).toEqual(whole)
      sizes.push(payloads.map(payload => payload.length))
    }
    expect(new Set(sizes.map(String))).toEqual(new Set(['1024,1024,1024,1024,904']))
    expect(channel.sendParts(PayloadType.output, [new Uint8Array(0), new Uint8Array(0)])).toBe(true)
    channel.sendParts(PayloadType.output, [])
    expect(take()).toEqual([])
  })

  test('a producer is told to wait and when to go on', () => {
    let writable = 0
    const { channel, acknowledge } = start('agent', { onWritable: () => writable++ })
    channel.connected()
    let count = 1
    while (channel.send(PayloadType.output, new Uint8Array(100))) count++
    expect(count).toBe(STOCK_LIMITS.messages)
    expect(channel.writable).toBe(false)
    acknowledge(7)
    acknowledge(8)
    expect(writable).toBe(1)
    expect(channel.writable).toBe(true)
  })
})

describe('acknowledgements to a stock peer', () => {
  test('one for each message, in the words of data-plane.md 10.4, duplicates included', () => {
    const { channel, receive, take, delivered } = start()
    channel.connected()
    receive({ sequenceNumber: 0 })
    expect(take()).toMatchObject([
      {
        messageType: MessageType.acknowledge,
        sequenceNumber: 0,
        flags: 3,
        payloadType: PayloadType.none,
        payload: utf8(
          `{"AcknowledgedMessageType":"input_stream_data","AcknowledgedMessageId":"${ID}","AcknowledgedMessageSequenceNumber":0,"IsSequentialMessage":true}`,
        ),
      },
    ])
    receive({ sequenceNumber: 0 })
    expect(take().length).toBe(1)
    expect(delivered).toEqual(['x'])
  })

  test('early messages at once, and all of them again when they are handed over', () => {
    const { channel, receive, takeNumbers } = start()
    channel.connected()
    receive({ sequenceNumber: 1 })
    expect(takeNumbers()).toEqual(['ack 1'])
    receive({ sequenceNumber: 0 })
    expect(takeNumbers()).toEqual(['ack 0', 'ack 1'])
  })

  test('none while the consumer is busy, so that the sender keeps what it has sent', () => {
    let busy = true
    const { channel, receive, takeNumbers } = start('agent', { deliver: () => !busy })
    channel.connected()
    for (const sequenceNumber of [0, 1, 0]) receive({ sequenceNumber })
    expect(takeNumbers()).toEqual([])
    busy = false
    channel.resume()
    expect(takeNumbers()).toEqual(['ack 0', 'ack 1'])
  })
})

describe('acknowledgements between our own', () => {
  test('one at the end of the turn stands for all of it', () => {
    const { channel, receive, takeNumbers } = start()
    channel.agree(TERMS)
    channel.connected()
    for (const sequenceNumber of [0, 1, 2]) receive({ sequenceNumber })
    expect(takeNumbers()).toEqual([])
    channel.flush()
    channel.flush()
    expect(takeNumbers()).toEqual(['ack 2 through 2'])
  })

  test('never claim what waits behind a gap or a busy consumer', () => {
    let busy = false
    const { channel, receive, takeNumbers } = start('agent', { deliver: () => !busy })
    channel.agree(TERMS)
    channel.connected()
    receive({ sequenceNumber: 0 })
    receive({ sequenceNumber: 2 })
    channel.flush()
    expect(takeNumbers()).toEqual(['ack 2', 'ack 0 through 0'])
    busy = true
    receive({ sequenceNumber: 1 })
    channel.flush()
    expect(takeNumbers()).toEqual([])
  })

  describe('wait for company', () => {
    const agreed = () => {
      const end = start()
      end.channel.agree(TERMS)
      end.channel.connected()
      return end
    }

    test('while little was consumed, but not beyond an eighth of the window', () => {
      const { channel, receive } = agreed()
      expect(channel.acknowledgement).toBe('none')
      receive({ sequenceNumber: 0 })
      expect(channel.acknowledgement).toBe('can-wait')
      receive({ sequenceNumber: 1, payload: new Uint8Array(TERMS.window / 8) })
      expect(channel.acknowledgement).toBe('due')
      channel.flush()
      expect(channel.acknowledgement).toBe('none')
      receive({ sequenceNumber: 2 })
      expect(channel.acknowledgement).toBe('can-wait')
    })

    test('not where the sender misses one, or waits for it to end', () => {
      const { channel, receive } = agreed()
      for (const sequenceNumber of [0, 1]) receive({ sequenceNumber })
      channel.flush()
      receive({ sequenceNumber: 0 })
      expect(channel.acknowledgement).toBe('due')
      channel.flush()
      receive({ sequenceNumber: 2, payloadType: PayloadType.exitCode })
      expect(channel.acknowledgement).toBe('due')
    })

    test('never with a stock peer, which gets one for each message at once', () => {
      const { channel, receive, takeNumbers } = start()
      channel.connected()
      receive({ sequenceNumber: 0 })
      expect(takeNumbers()).toEqual(['ack 0'])
      expect(channel.acknowledgement).toBe('none')
    })
  })

  test('are said again on a new connection, in case the last one was lost', () => {
    const { channel, receive, takeNumbers } = start()
    channel.agree(TERMS)
    channel.connected()
    receive({ sequenceNumber: 0 })
    channel.disconnected()
    channel.flush()
    expect(takeNumbers()).toEqual([])
    channel.connected()
    expect(takeNumbers()).toEqual(['ack 0 through 0'])
  })

  test('cumulative ones count only once they are agreed on', () => {
    const { channel, acknowledge } = start()
    channel.connected()
    channel.send(PayloadType.output, new Uint8Array(3_000))
    acknowledge(0, 2)
    expect(channel.drained).toBe(false)
    channel.agree(TERMS)
    acknowledge(0, 2)
    expect(channel.drained).toBe(true)
  })
})

describe('what the gateway says', () => {
  test('pause holds everything but acknowledgements, start sends all of it again', () => {
    const { channel, clock, publication, receive, takeNumbers, peer } = start()
    channel.connected()
    channel.send(PayloadType.output, utf8('a'))
    publication(MessageType.pausePublication)
    channel.send(PayloadType.output, utf8('b'))
    clock.advance(10_000)
    channel.tick()
    expect(takeNumbers()).toEqual([0])
    publication(MessageType.startPublication)
    expect(takeNumbers()).toEqual([0, 1])
    publication(MessageType.pausePublication)
    receive({ sequenceNumber: 0 })
    expect(takeNumbers()).toEqual(['ack 0'])
    expect(peer).toEqual([false, true, false])
  })

  test('input ends a pause without repeating anything; the start that follows repeats it (11.1)', () => {
    const { channel, publication, receive, takeNumbers } = start()
    channel.connected()
    channel.send(PayloadType.output, utf8('a'))
    publication(MessageType.pausePublication)
    channel.send(PayloadType.output, utf8('b'))
    receive({ sequenceNumber: 0 })
    expect(takeNumbers()).toEqual([0, 1, 'ack 0'])
    publication(MessageType.startPublication)
    expect(takeNumbers()).toEqual([0, 1])
  })

  test('the first start on a connection repeats nothing; a later one says that the far end is a new one', () => {
    const { channel, publication, takeNumbers } = start()
    channel.send(PayloadType.output, utf8('a'))
    channel.connected()
    expect(takeNumbers()).toEqual([0])
    publication(MessageType.startPublication)
    expect(takeNumbers()).toEqual([])
    publication(MessageType.startPublication)
    expect(takeNumbers()).toEqual([0])
    channel.disconnected()
    channel.connected()
    publication(MessageType.startPublication)
    expect(takeNumbers()).toEqual([0])
  })

  test('a pause ends with its connection', () => {
    const { channel, publication, takeNumbers } = start()
    channel.connected()
    publication(MessageType.pausePublication)
    channel.disconnected()
    channel.connected()
    channel.send(PayloadType.output, utf8('a'))
    expect(takeNumbers()).toEqual([0])
  })

  test('nothing goes out without a connection, whatever arrives late', () => {
    const { channel, publication, receive, acknowledge, takeNumbers } = start()
    channel.connected()
    channel.disconnected()
    channel.send(PayloadType.output, utf8('a'))
    publication(MessageType.startPublication)
    receive({ sequenceNumber: 0 })
    acknowledge(0)
    channel.tick()
    channel.flush()
    expect(takeNumbers()).toEqual([])
    expect(channel.underWay).toBe(false)
  })

  test('the end of the session comes with its reason', () => {
    const outputs: unknown[] = []
    const { channel } = start('client', { onClosed: closed => outputs.push(closed.Output) })
    channel.connected()
    const closing = { sessionId: 's', destinationId: 's', output: 'Your session timed out' }
    channel.receive(encodeChannelClosed(nodeCrypto, 1, closing))
    expect(outputs).toEqual(['Your session timed out'])
  })

  test('messages for others, and of types from the future, are ignored', () => {
    const { channel, receive, outgoingType, take, delivered } = start()
    channel.connected()
    for (const messageType of [outgoingType, MessageType.agentSessionState, 'agent_job', 'from_the_future']) {
      receive({ messageType })
    }
    expect(take()).toEqual([])
    expect(delivered).toEqual([])
  })
})

test('a notice of the gateway is text for the user, and no part of the stream', () => {
  const notices: string[] = []
  const { channel, delivered, frame } = start('client', { onNotice: text => notices.push(text) })
  channel.receive(
    frame({
      messageType: 'session_notice',
      payloadType: PayloadType.none,
      payload: utf8('{"Text":"ends soon"}'),
    }),
  )
  expect(notices).toEqual(['ends soon'])
  expect(delivered).toEqual([])
  expect(() =>
    channel.receive(frame({ messageType: 'session_notice', payload: utf8('{"Text":7}') })),
  ).toThrow()
})
