import { MessageType, PayloadType } from '@sallyport/protocol/message-types'
import { describe, expect, test } from 'vitest'
import type { Role } from './half.ts'
import { MAXIMUM_GAP } from './relay-rules.ts'
import { relayForTest } from './relay-testing.ts'
import { MAXIMUM_DATA_FRAME } from './session-memory.ts'
import { acknowledge, frameOf, input, output, sessionState } from './testing.ts'

describe('a frame that cannot be read', () => {
  const good = input(0)
  const patched = (change: (view: DataView, bytes: Uint8Array) => void) => {
    const bytes = good.slice()
    change(new DataView(bytes.buffer), bytes)
    return bytes
  }
  const bad: Record<string, Uint8Array> = {
    'frame-too-short, with nothing in it': new Uint8Array(0),
    'frame-too-short, by one byte': frameOf({ payload: new Uint8Array(0) }).subarray(0, 119),
    'frame-too-long, by one byte': frameOf({ payload: new Uint8Array(MAXIMUM_DATA_FRAME - 119) }),
    'bad-header-length, 0': patched(view => view.setUint32(0, 0)),
    'bad-header-length, beyond the frame': patched(view => view.setUint32(0, 0x7b226d65)),
    'bad-header-length, 120': patched(view => view.setUint32(0, 120)),
    'bad-message-type, blank': patched((_, bytes) => bytes.fill(0x20, 4, 36)),
    'bad-message-type, NULs': patched((_, bytes) => bytes.fill(0, 4, 36)),
    'bad-created-date': patched(view => view.setBigUint64(40, 0n)),
    'bad-sequence-number, negative': patched(view => view.setBigInt64(48, -1n)),
    'bad-sequence-number, too great': patched(view => view.setBigInt64(48, 2n ** 60n)),
    'bad-payload-length, one too many': patched(view => view.setUint32(116, 2)),
    'bad-payload-length, 4 GB': patched(view => view.setUint32(116, 0xffffffff)),
    'bad-digest': patched((_, bytes) => bytes.fill(1, 120)),
    'bad-json, as an acknowledgement': frameOf({ messageType: 'acknowledge' }),
    'bad-payload, as an acknowledgement': frameOf({
      messageType: 'acknowledge',
      payload: new TextEncoder().encode('{"AcknowledgedMessageSequenceNumber":"3"}'),
    }),
    'bad-payload, as a flag': frameOf({ payloadType: PayloadType.flag, payload: new Uint8Array(3) }),
  }
  for (const [what, frame] of Object.entries(bad)) {
    test(`ends its sender's connection alone, with 1002: ${what}`, () => {
      const { both, told } = relayForTest()
      const { client, agent } = both()
      client.receive(frame)
      const [code] = what.split(',')
      expect(told).toEqual([`client: ${code}`, 'client went'])
      expect(client.closedWith?.code).toBe(1002)
      expect(client.closedWith?.reason).not.toBe('')
      expect(agent.closedWith).toBeUndefined()
      expect(agent.types).toEqual(['pause_publication'])
      client.receive(input(1))
      expect(agent.sent, 'nothing more of it is passed on').toHaveLength(1)
    })
  }

  test('from an agent is no different', () => {
    const { both, told } = relayForTest()
    const { client, agent } = both()
    agent.receive(frameOf({ messageType: 'agent_session_state' }))
    expect(told).toEqual(['agent: bad-json', 'agent went'])
    expect(agent.closedWith?.code).toBe(1002)
    expect(client.closedWith).toBeUndefined()
    expect(client.types).toEqual(['pause_publication'])
  })

  test('leaves its sender free to dial again', () => {
    const { both, attach } = relayForTest()
    const { client, agent } = both()
    client.receive(new Uint8Array(3))
    const again = attach('client')
    again.receive(input(0))
    expect(agent.types).toEqual(['pause_publication', 'start_publication', 'input_stream_data'])
  })
})

describe('what an end may not send', () => {
  const all = Object.values(MessageType)
  const may: Record<Role, string[]> = {
    client: ['input_stream_data', 'acknowledge'],
    agent: ['output_stream_data', 'acknowledge', 'agent_session_state'],
  }
  for (const role of ['client', 'agent'] as const) {
    const forged = all.filter(type => !may[role].includes(type))

    test(`ends the connection of the ${role}, whichever it is, and never reaches the other end`, () => {
      for (const type of forged) {
        const { both, told } = relayForTest()
        const ends = both()
        const other = ends[role === 'client' ? 'agent' : 'client']
        ends[role].receive(frameOf({ messageType: type }), frameOf({ messageType: type }))
        expect(other.types, type).toEqual(['pause_publication'])
        expect(told).toEqual([`${role}: unexpected-message`, `${role} went`])
        expect(ends[role].closedWith).toEqual({
          code: 1002,
          reason: `the ${role} must not send ${type}`,
        })
      }
    })

    test(`is dropped if nobody knows its type, and said once, for the ${role}`, () => {
      const { both, told } = relayForTest()
      const ends = both()
      for (let i = 0; i < 3; i++) ends[role].receive(frameOf({ messageType: 'of_a_later_program' }))
      expect(ends[role === 'client' ? 'agent' : 'client'].sent).toEqual([])
      expect(told).toEqual([`${role}: unknown`])
      expect(ends[role].closedWith).toBeUndefined()
    })
  }

  test('is a word on the state of another session', () => {
    const { both, told } = relayForTest()
    const { client, agent } = both()
    agent.receive(sessionState('Terminating', 'of-somebody-else'))
    expect(told).toEqual(['agent: unexpected-message', 'agent went'])
    expect(agent.closedWith?.reason).toBe('the agent speaks for another session, of-somebody-else')
    expect(client.closedWith).toBeUndefined()
  })

  test("an agent's word on its state is for the gateway only", () => {
    const { both, told } = relayForTest()
    const { client, agent } = both()
    agent.receive(sessionState('Connected'), sessionState('Terminating'))
    expect(told).toEqual(['agent is Connected', 'agent is Terminating'])
    expect(client.sent).toEqual([])
  })
})

describe('a number from nowhere', () => {
  test('ends the connection of its sender; one that a lost connection explains does not', () => {
    const { both, told } = relayForTest()
    const { client, agent } = both()
    client.receive(input(5), input(5 + MAXIMUM_GAP))
    expect(agent.sent).toHaveLength(2)
    client.receive(input(6 + 2 * MAXIMUM_GAP))
    expect(agent.types.at(-1)).toBe('pause_publication')
    expect(told.slice(-2)).toEqual(['client: bad-sequence-number', 'client went'])
    agent.receive(output(0), output(1 + MAXIMUM_GAP))
    expect(told.slice(-2)).toEqual(['agent: bad-sequence-number', 'agent went'])
  })

  test('is none at a relay that begins in the middle of a session', () => {
    const { both, told } = relayForTest()
    const { client, agent } = both()
    client.receive(input(2 ** 40), acknowledge(2 ** 41))
    agent.receive(output(2 ** 42))
    expect(told).toEqual(['activity', 'activity'])
  })

  test('is an acknowledgement of what was never sent, by itself or with all before it', () => {
    for (const [number, through] of [
      [2 ** 40, undefined],
      [0, 2 ** 40],
    ] as const) {
      const { both, told } = relayForTest()
      const { client, agent } = both()
      agent.receive(output(0))
      client.receive(acknowledge(number, through))
      expect(told.slice(-2)).toEqual(['client: bad-sequence-number', 'client went'])
      expect(agent.types).toEqual(['pause_publication'])
    }
  })
})
