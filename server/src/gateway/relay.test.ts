import { fromHex } from '@sallyport/protocol/bytes'
import {
  answerHandshake,
  decodeHandshakeRequest,
  encodeHandshakeRequest,
} from '@sallyport/protocol/handshake'
import { MessageType, PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { acknowledgePayload, channelClosedPayload, encodeFlag } from '@sallyport/protocol/payloads'
import { describe, expect, test } from 'vitest'
import { relayForTest } from './relay-testing.ts'
import { HALF_LIMIT, QUEUE_LIMIT, SOCKET_LIMIT } from './session-memory.ts'
import {
  acknowledge,
  decode,
  FakeConnection,
  frameOf,
  input,
  output,
  sessionState,
  textOf,
} from './testing.ts'

describe('frames', () => {
  test('come out as they went in, to the byte, both ways', () => {
    const { both } = relayForTest()
    const { client, agent } = both()
    // Flags, schema version and padding that we would write otherwise (data-plane.md 2.4, 2.5).
    const odd = frameOf({ messageType: MessageType.inputStreamData, flags: 3 }).slice()
    odd.fill(0, 4 + 'input_stream_data'.length, 36)
    odd[39] = 7
    const acks = acknowledge(0)
    client.receive(odd, acks)
    expect(agent.sent).toEqual([odd, acks])
    const data = output(0, 'ls\r\n')
    const ack = frameOf({ messageType: MessageType.acknowledge, payload: fromHex('00ff') })
    agent.receive(data, ack)
    expect(client.sent).toEqual([data, ack])
  })

  test('without a payload are frames too', () => {
    const { both } = relayForTest()
    const { client, agent } = both()
    const empty = frameOf({ payload: new Uint8Array(0) })
    expect(empty.length).toBe(120)
    client.receive(empty)
    expect(agent.sent).toEqual([empty])
  })

  test('wait for an end that is away, in order, and come before its start_publication', () => {
    const { attach } = relayForTest()
    const client = attach('client')
    client.receive(input(0, 'one'), acknowledge(7), input(1, 'two'))
    const agent = attach('agent')
    expect(agent.types).toEqual([
      'input_stream_data',
      'acknowledge',
      'input_stream_data',
      'start_publication',
    ])
    expect([agent.sent[0], agent.sent[2]].map(frame => frame && textOf(frame))).toEqual(['one', 'two'])
  })

  test('of a sender whose peer is away stop at a bound, and go on when it is back', () => {
    const { relay, attach } = relayForTest()
    const agent = attach('agent')
    for (let i = 0; i < 100; i++) agent.receive(output(i, 'x'.repeat(60_000)))
    expect(agent.paused).toBe(true)
    expect(relay.bufferedBytes).toBeLessThan(HALF_LIMIT)
    const client = attach('client')
    expect(agent.paused).toBe(false)
    expect(client.sent.filter(frame => decode(frame).messageType === 'output_stream_data')).toHaveLength(100)
  })

  test('of a sender that was held and dialled again stay held', () => {
    const { relay, attach } = relayForTest()
    const first = attach('agent')
    for (let i = 0; i < 100; i++) first.receive(output(i, 'x'.repeat(60_000)))
    first.lose()
    const second = attach('agent')
    for (let i = 100; i < 200; i++) second.receive(output(i, 'x'.repeat(60_000)))
    expect(second.paused).toBe(true)
    expect(relay.bufferedBytes).toBeLessThan(HALF_LIMIT)
  })
})

describe('publication', () => {
  test('starts for both when the second end comes, whichever that is', () => {
    for (const order of [['client', 'agent'] as const, ['agent', 'client'] as const]) {
      const { attach } = relayForTest()
      const [first, second] = order.map(attach)
      expect(first?.types).toEqual(['start_publication'])
      expect(second?.types).toEqual(['start_publication'])
    }
  })

  test('pauses for the end that stays, and starts again for both', () => {
    for (const role of ['client', 'agent'] as const) {
      const { both, attach } = relayForTest()
      const ends = both()
      const stays = ends[role === 'client' ? 'agent' : 'client']
      ends[role].lose()
      expect(stays.types).toEqual(['pause_publication'])
      const again = attach(role)
      expect(stays.types).toEqual(['pause_publication', 'start_publication'])
      expect(again.types).toEqual(['start_publication'])
    }
  })

  test('pauses an agent whose new connection finds its client gone', () => {
    const { both, attach } = relayForTest()
    const { client, agent } = both()
    client.lose()
    agent.lose()
    expect(attach('agent').types).toEqual(['pause_publication'])
  })

  test('is never paused for a command whose output is separated', () => {
    const { both, attach } = relayForTest({ sessionType: 'NonInteractiveCommands' })
    const { client, agent } = both()
    client.lose()
    client.receive(new Uint8Array(1))
    expect(agent.sent).toEqual([])
    const again = attach('client')
    again.receive(new Uint8Array(1))
    expect(agent.types).toEqual(['start_publication'])
  })

  test('frames are such as stock agents can read', () => {
    const { attach } = relayForTest()
    const agent = attach('agent')
    attach('client')
    const [frame = new Uint8Array(0)] = agent.sent
    expect(frame.length).toBe(120)
    expect(decode(frame)).toMatchObject({ flags: 3, sequenceNumber: 0, payloadType: 0 })
    expect(decode(frame).createdDate).toBeGreaterThan(0)
  })

  test('says nothing to an end whose connection had ended before it was handed over', () => {
    const { relay, attach, told } = relayForTest()
    const agent = attach('agent')
    agent.sent.length = 0
    told.length = 0
    const dead = new FakeConnection()
    dead.lose()
    relay.attach('client', dead)
    expect(relay.isPresent('client')).toBe(false)
    expect(told).toEqual(['client went'])
    expect(agent.types).toEqual(['pause_publication'])
  })
})

describe('output that the client had before', () => {
  const answerOf = (agent: FakeConnection) => {
    const frames = agent.sent.map(decode).filter(({ messageType }) => messageType === 'acknowledge')
    return frames.map(({ payload }) => acknowledgePayload.decode(payload))
  }

  test('is acknowledged by the gateway when the agent repeats it, and not passed on', () => {
    const { both } = relayForTest()
    const { client, agent } = both()
    const frame = output(0)
    agent.receive(frame)
    // The acknowledgement reaches us, but the agent's connection breaks before it has read it.
    client.receive(acknowledge(0))
    agent.sent.length = 0
    agent.receive(frame)
    expect(client.sent).toEqual([frame])
    expect(answerOf(agent)).toEqual([
      {
        AcknowledgedMessageType: 'output_stream_data',
        AcknowledgedMessageId: decode(frame).messageId,
        AcknowledgedMessageSequenceNumber: 0,
        IsSequentialMessage: true,
      },
    ])
  })

  test('is acknowledged also while the client is away', () => {
    const { both } = relayForTest()
    const { client, agent } = both()
    agent.receive(output(0))
    client.receive(acknowledge(0))
    client.lose()
    agent.sent.length = 0
    agent.receive(output(0))
    expect(answerOf(agent)).toHaveLength(1)
    expect(agent.types, 'which had ended its pause').toEqual(['acknowledge', 'pause_publication'])
  })

  test('is not acknowledged any more to an agent that does not read it', () => {
    const { relay, both } = relayForTest()
    const { client, agent } = both()
    agent.receive(output(0))
    client.receive(acknowledge(0))
    agent.bufferedBytes = SOCKET_LIMIT
    for (let i = 0; i < 10_000; i++) agent.receive(output(0))
    expect(relay.bufferedBytes).toBeLessThan(QUEUE_LIMIT + SOCKET_LIMIT)
    expect(agent.closedWith).toBeUndefined()
    agent.drainTo(0)
    agent.receive(output(0))
    expect(decode(agent.sent.at(-1) ?? new Uint8Array(0)).messageType).toBe('acknowledge')
  })

  test('is passed on again as long as nobody acknowledged it', () => {
    const { both } = relayForTest()
    const { client, agent } = both()
    const frame = output(0)
    for (let i = 0; i < 100; i++) agent.receive(frame)
    expect(client.sent).toHaveLength(100)
    expect(answerOf(agent)).toEqual([])
  })

  test('counts up to a cumulative acknowledgement, but not beyond what was sent', () => {
    const { both } = relayForTest()
    const { client, agent } = both()
    for (let i = 0; i < 3; i++) agent.receive(output(i))
    client.receive(acknowledge(2, 100_000))
    for (let i = 0; i < 3; i++) agent.receive(output(i))
    expect(
      answerOf(agent)
        .map(answer => answer.AcknowledgedMessageSequenceNumber)
        .slice(1),
    ).toEqual([0, 1, 2])
    agent.receive(output(3), output(3))
    expect(client.sent.map(frame => decode(frame).sequenceNumber)).toEqual([0, 1, 2, 3, 3])
  })

  test('is recognised after a crash, by being repeated while its reader acknowledges what is new', () => {
    const { both, clock } = relayForTest()
    const { client, agent } = both()
    const repeat = () => {
      agent.receive(output(41))
      clock.advance(500)
    }
    for (let i = 0; i < 20; i++) repeat()
    expect(answerOf(agent), 'a client that acknowledges nothing may not be ready').toEqual([])
    agent.receive(output(42))
    client.receive(acknowledge(42))
    for (let i = 0; i < 20; i++) repeat()
    const answers = answerOf(agent).map(answer => answer.AcknowledgedMessageSequenceNumber)
    expect(answers[0], "the client's own").toBe(42)
    expect(new Set(answers.slice(1))).toEqual(new Set([41]))
  })

  test('is never guessed of our own client, which acknowledges repetitions', () => {
    const { both, clock } = relayForTest({ agreed: true })
    const { client, agent } = both()
    for (let i = 0; i < 100; i++) {
      agent.receive(output(41))
      client.receive(acknowledge(42))
      clock.advance(500)
    }
    expect(answerOf(agent).every(answer => answer.AcknowledgedMessageSequenceNumber === 42)).toBe(true)
  })
})

describe('activity', () => {
  test('is new data of either end, and nothing else', () => {
    const { both, told } = relayForTest()
    const { client, agent } = both()
    client.receive(input(0))
    agent.receive(output(0))
    agent.receive(
      frameOf({ messageType: 'output_stream_data', sequenceNumber: 1, payloadType: PayloadType.stderr }),
    )
    expect(told).toEqual(['activity', 'activity', 'activity'])
    client.receive(input(0), acknowledge(0), acknowledge(1))
    client.receive(frameOf({ sequenceNumber: 1, payloadType: PayloadType.size }))
    agent.receive(output(0), output(1), sessionState('Connected'))
    agent.receive(frameOf({ messageType: 'acknowledge' }))
    expect(told.filter(each => each === 'activity')).toHaveLength(3)
  })
})

describe('the handshake', () => {
  const answer = () => {
    const request = decodeHandshakeRequest(encodeHandshakeRequest('3.3.0.0', 'Port', {}))
    const { payload } = answerHandshake(request, { clientVersion: '1.2.0.0' })
    return frameOf({ sequenceNumber: 0, payloadType: PayloadType.handshakeResponse, payload })
  }

  test('tells what was agreed, once', () => {
    const { both, told } = relayForTest()
    const { client, agent } = both()
    client.receive(answer(), answer())
    expect(told).toEqual(['activity', 'agreed on 65552'])
    expect(agent.sent).toHaveLength(2)
  })

  test('that makes no sense goes to the agent, who reports it', () => {
    const { both, told } = relayForTest()
    const { client, agent } = both()
    client.receive(frameOf({ payloadType: PayloadType.handshakeResponse }))
    expect(told).toEqual([])
    expect(agent.sent).toHaveLength(1)
  })
})

describe('a client that is gone', () => {
  test('for good has said so: with a close frame, or with a flag for the agent', () => {
    const goodbyes: Array<(client: FakeConnection) => void> = [
      client => client.lose(1000),
      client => {
        client.receive(
          frameOf({ payloadType: PayloadType.flag, payload: encodeFlag(PayloadFlag.terminateSession) }),
        )
        client.lose(1006)
      },
    ]
    for (const goodbye of goodbyes) {
      const { relay, both, attach } = relayForTest()
      goodbye(both().client)
      expect(relay.clientLeft).toBe(true)
      attach('client').lose(1006)
      expect(relay.clientLeft, 'it came back after all').toBe(false)
    }
  })

  test('may come back otherwise', () => {
    const { relay, both } = relayForTest()
    both().client.lose(1006)
    expect(relay.clientLeft).toBe(false)
  })
})

describe('the end of a session', () => {
  test('comes after all output, with its reason for the client', () => {
    const { relay, attach } = relayForTest()
    const agent = attach('agent')
    agent.receive(output(0, 'last words'))
    relay.close('Timed out.')
    const client = attach('client')
    expect(client.types).toEqual(['output_stream_data', 'channel_closed'])
    const [, closed] = client.sent.map(decode)
    expect(channelClosedPayload.decode(closed?.payload ?? new Uint8Array(0))).toMatchObject({
      SessionId: 's',
      Output: 'Timed out.',
      SchemaVersion: 1,
    })
    expect(agent.types).toEqual(['channel_closed'])
  })

  test('is told once, and nothing is passed on after it', () => {
    const { relay, both } = relayForTest()
    const { client, agent } = both()
    relay.close('')
    relay.close('again')
    client.receive(input(0), new Uint8Array(1))
    agent.receive(output(0))
    client.lose()
    expect(client.types).toEqual(['channel_closed'])
    expect(agent.types).toEqual(['channel_closed'])
  })

  test('leaves no timer and no connection behind', () => {
    const { relay, both, clock } = relayForTest()
    const { client, agent } = both()
    relay.dispose('over')
    expect(client.closedWith).toEqual({ code: 1000, reason: 'over' })
    expect(agent.closedWith).toEqual({ code: 1000, reason: 'over' })
    expect(clock.pending).toBe(0)
  })
})
