import {
  answerHandshake,
  decodeHandshakeRequest,
  encodeHandshakeRequest,
} from '@sallyport/protocol/handshake'
import { PayloadType } from '@sallyport/protocol/message-types'
import { describe, expect, test } from 'vitest'
import { ACKNOWLEDGEMENT_WAIT, SETTLING, SETUP_LIMIT } from './plugin-setup.ts'
import { relayForTest } from './relay-testing.ts'
import { QUEUE_LIMIT } from './session-memory.ts'
import { acknowledge, decode, frameOf, input, output, word } from './testing.ts'

// What a stock agent and a stock plugin say at the start of a multiplexed port session, to the letter
// (data-plane.md 12, observed.md 4).

const json = (text: string) => new TextEncoder().encode(text)

const request = frameOf({
  messageType: 'output_stream_data',
  flags: 1,
  payloadType: PayloadType.handshakeRequest,
  payload: json(
    '{"AgentVersion":"3.3.0.0","RequestedClientActions":[{"ActionType":"SessionType","ActionParameters":{"SessionType":"Port","Properties":{"host":"","localPortNumber":"15432","portNumber":"5432","type":"LocalPortForwarding"}}}]}',
  ),
})
const response = frameOf({
  payloadType: PayloadType.handshakeResponse,
  payload: json(
    '{"ClientVersion":"1.2.0.0","ProcessedClientActions":[{"ActionType":"SessionType","ActionStatus":1,"ActionResult":null,"Error":""}],"Errors":null}',
  ),
})
const complete = frameOf({
  messageType: 'output_stream_data',
  sequenceNumber: 1,
  payloadType: PayloadType.handshakeComplete,
  payload: json('{"HandshakeTimeToComplete":183000000,"CustomerMessage":""}'),
})

/** As an agent writes it. */
function ackOfInput(sequenceNumber: number): Uint8Array {
  return word('acknowledge', {
    AcknowledgedMessageType: 'input_stream_data',
    AcknowledgedMessageId: '01234567-89ab-4cde-8f01-23456789abcd',
    AcknowledgedMessageSequenceNumber: sequenceNumber,
    IsSequentialMessage: true,
  })
}

function answeredHandshake(sessionType = 'Port') {
  const scene = relayForTest({ sessionType })
  const ends = scene.both()
  ends.agent.receive(request)
  ends.client.receive(acknowledge(0), response)
  ends.client.sent.length = 0
  return { ...scene, ...ends }
}

describe('a stock plugin that sets up a port session', () => {
  test('has the acknowledgement of its answer before HandshakeComplete, also if the agent sent it after', () => {
    for (const order of [
      [complete, ackOfInput(0)],
      [ackOfInput(0), complete],
    ]) {
      const { client, agent } = answeredHandshake()
      agent.receive(...order)
      expect(client.sent).toEqual([ackOfInput(0), complete].map(bytesOf(order)))
    }
  })

  test('is not kept waiting for an acknowledgement that does not come', () => {
    const { client, agent, clock } = answeredHandshake()
    agent.receive(complete)
    expect(client.sent).toEqual([])
    clock.advance(ACKNOWLEDGEMENT_WAIT)
    expect(client.sent).toEqual([complete])
    agent.receive(ackOfInput(0))
    expect(client.sent).toEqual([complete])
  })

  test('hears nothing from HandshakeComplete until 50 ms after it acknowledged that', () => {
    const { client, agent, clock } = answeredHandshake()
    agent.receive(ackOfInput(0), complete)
    const later = [output(2, 'banner'), ackOfInput(1), output(3)]
    agent.receive(...later, complete)
    clock.advance(300)
    expect(client.types).toEqual(['acknowledge', 'output_stream_data'])
    client.receive(input(1), acknowledge(1))
    clock.advance(SETTLING - 1)
    expect(client.sent).toHaveLength(2)
    clock.advance(1)
    expect(client.sent.slice(2)).toEqual(later)
    agent.receive(output(4))
    expect(client.sent).toHaveLength(6)
    expect(clock.pending, 'but for the pings').toBe(2)
  })

  test('hears nothing of an agent that comes and goes meanwhile, before it is ready', () => {
    const { client, agent, attach, clock } = answeredHandshake()
    agent.receive(ackOfInput(0), complete)
    agent.lose()
    attach('agent')
    expect(client.sent).toHaveLength(2)
    client.receive(acknowledge(1))
    clock.advance(SETTLING)
    expect(client.types.slice(2)).toEqual(['pause_publication', 'start_publication'])
  })

  test('learns of the end of the session then, not before', () => {
    const { relay, client, agent, clock } = answeredHandshake()
    agent.receive(ackOfInput(0), complete)
    relay.close('Terminated.')
    expect(client.sent).toHaveLength(2)
    client.receive(acknowledge(1))
    clock.advance(SETTLING)
    expect(client.types.slice(2)).toEqual(['channel_closed'])
  })

  test('that never acknowledges HandshakeComplete gets the rest all the same, after a while', () => {
    const { client, agent, clock } = answeredHandshake()
    agent.receive(ackOfInput(0), complete, output(2))
    clock.advance(SETUP_LIMIT - 1)
    expect(client.sent).toHaveLength(2)
    clock.advance(1)
    expect(client.sent).toHaveLength(3)
  })

  test('is sent HandshakeComplete again on a new connection, and nothing else until it has set up', () => {
    const { client, agent, attach, clock } = answeredHandshake()
    agent.receive(ackOfInput(0), complete, ackOfInput(1))
    client.lose()
    const again = attach('client')
    agent.receive(complete, output(2))
    expect(again.sent).toEqual([complete])
    again.receive(acknowledge(1))
    clock.advance(SETTLING)
    expect(again.types.slice(1)).toEqual(['acknowledge', 'start_publication', 'output_stream_data'])
  })

  test('is protected as well when it was away for longer than it is waited for', () => {
    const { client, agent, attach, clock } = answeredHandshake()
    agent.receive(ackOfInput(0), complete)
    client.lose()
    clock.advance(2 * SETUP_LIMIT)
    agent.receive(complete, output(2))
    const again = attach('client')
    agent.receive(complete)
    expect(again.sent).toEqual([complete])
    clock.advance(SETUP_LIMIT - 1)
    expect(again.sent).toHaveLength(1)
    again.receive(acknowledge(1))
    clock.advance(SETTLING)
    expect(again.types.slice(1)).toEqual(['output_stream_data', 'start_publication'])
  })

  test('is protected as well when HandshakeComplete came while it was away', () => {
    const { client, agent, attach, clock } = answeredHandshake()
    client.lose()
    agent.receive(ackOfInput(0), complete, output(2))
    clock.advance(2 * SETUP_LIMIT)
    const again = attach('client')
    expect(again.sent).toEqual([complete])
    again.receive(acknowledge(1))
    clock.advance(SETTLING)
    expect(again.types.slice(1)).toEqual(['acknowledge', 'output_stream_data', 'start_publication'])
  })

  test('that changes its connection after the acknowledgement has its 50 ms on the new one', () => {
    const { client, agent, attach, clock } = answeredHandshake()
    agent.receive(ackOfInput(0), complete)
    client.receive(acknowledge(1))
    clock.advance(SETTLING - 1)
    client.lose()
    clock.advance(SETTLING)
    const again = attach('client')
    agent.receive(output(2))
    clock.advance(SETTLING - 1)
    expect(again.sent).toEqual([])
    clock.advance(1)
    expect(again.types).toEqual(['start_publication', 'output_stream_data'])
  })

  test('is known to have set up when it has data, where its acknowledgement was lost', () => {
    const { client, agent, attach, clock } = answeredHandshake()
    agent.receive(ackOfInput(0), complete)
    client.lose()
    const again = attach('client')
    agent.receive(output(2))
    again.receive(input(1))
    clock.advance(SETTLING)
    expect(again.types).toEqual(['output_stream_data', 'start_publication', 'output_stream_data'])
  })

  test('makes its agent wait when too much is held back', () => {
    const { relay, client, agent, clock } = answeredHandshake()
    agent.receive(ackOfInput(0), complete)
    for (let i = 2; i < 1000; i++) agent.receive(output(i, 'x'.repeat(1024)))
    expect(agent.paused).toBe(true)
    expect(relay.bufferedBytes).toBeLessThan(QUEUE_LIMIT + 2000)
    client.receive(acknowledge(1))
    clock.advance(SETTLING)
    expect(agent.paused).toBe(false)
    expect(client.sent).toHaveLength(1000)
    expect(client.sent.map(frame => decode(frame).sequenceNumber).slice(2)).toEqual(
      Array.from({ length: 998 }, (_, i) => i + 2),
    )
  })

  test('is protected too at a relay that begins between the two', () => {
    const { both } = relayForTest({ sessionType: 'Port' })
    const { client, agent } = both()
    agent.receive(complete, output(2))
    expect(client.sent).toEqual([complete])
  })
})

describe('nobody else waits', () => {
  test('in other sessions', () => {
    for (const sessionType of ['Standard_Stream', 'InteractiveCommands', 'NonInteractiveCommands']) {
      const { client, agent } = answeredHandshake(sessionType)
      agent.receive(complete, ackOfInput(0), output(2))
      expect(client.sent).toHaveLength(3)
    }
  })

  test('in a port session of our own pair', () => {
    const { both, clock } = relayForTest({ sessionType: 'Port' })
    const { client, agent } = both()
    const { payload } = answerHandshake(
      decodeHandshakeRequest(encodeHandshakeRequest('3.3.0.0', 'Port', {})),
      {
        clientVersion: '1.2.0.0',
      },
    )
    agent.receive(request)
    client.receive(frameOf({ payloadType: PayloadType.handshakeResponse, payload }))
    agent.receive(complete, output(2), ackOfInput(0))
    expect(client.sent).toHaveLength(4)
    expect(clock.pending).toBe(2)
  })
})

describe('an answer to the handshake', () => {
  test("is passed on in the agent's 15 s, and again if it is repeated later", () => {
    const { both, clock, told } = relayForTest({ sessionType: 'Port' })
    const { client, agent } = both()
    agent.receive(request)
    clock.advance(14_700)
    client.receive(response)
    expect(agent.sent).toEqual([response])
    agent.receive(complete)
    clock.advance(10_000)
    client.receive(response)
    expect(agent.sent).toEqual([response, response])
    expect(told.filter(each => each.startsWith('late'))).toEqual([])
  })

  test('does not reach an agent that has given up, and the owner is told', () => {
    for (const sessionType of ['Port', 'NonInteractiveCommands']) {
      const { both, clock, told } = relayForTest({ sessionType })
      const { client, agent } = both()
      agent.receive(request)
      clock.advance(8_000)
      agent.receive(request)
      clock.advance(7_100)
      client.receive(response)
      expect(agent.sent).toEqual([])
      expect(told).toEqual(['late by 15100'])
    }
  })

  test('is measured by no clock that steps', () => {
    const { both, clock, told } = relayForTest()
    const { client, agent } = both()
    agent.receive(request)
    clock.setBack(3_600_000)
    clock.advance(16_000)
    client.receive(response)
    expect(told).toEqual(['late by 16000'])
  })
})

/** The very frames that went in: each has an id of its own. */
function bytesOf(frames: Uint8Array[]): (like: Uint8Array) => Uint8Array {
  return like => frames.find(frame => decode(frame).messageType === decode(like).messageType) ?? like
}
