import { PayloadType } from '@sallyport/protocol/message-types'
import { sessionNoticePayload } from '@sallyport/protocol/payloads'
import { describe, expect, test } from 'vitest'
import { MINUTE, outputOf, SECOND, sessionRelayForTest as setUp } from './session-relay-testing.ts'
import { decode, type FakeConnection, frameOf, input, output } from './testing.ts'

describe('a warning', () => {
  const notices = (client: FakeConnection) =>
    client.sent
      .map(decode)
      .filter(({ messageType }) => messageType === 'session_notice')
      .map(({ payload }) => sessionNoticePayload.decode(payload).Text)
  const own = { agreed: true, agentCame: true, clientCame: true }

  test('comes a minute before the idle time-out, once, and again after somebody did something', () => {
    const { clock, attach, endings } = setUp({ ...own, idleTimeoutMs: 20 * MINUTE })
    const [client] = [attach('client'), attach('agent')]
    clock.advance(19 * MINUTE - 1)
    expect(notices(client)).toEqual([])
    clock.advance(30 * SECOND)
    const text =
      'Nothing was typed or printed for 19 minutes. This session ends in 1 minute; press a key to keep it open.'
    expect(notices(client)).toEqual([text])
    client.receive(input(0))
    clock.advance(19 * MINUTE - 1)
    expect(notices(client)).toEqual([text])
    clock.advance(MINUTE - SECOND)
    expect(notices(client)).toEqual([text, text])
    expect(endings).toEqual([])
    clock.advance(2 * SECOND)
    expect(endings).toMatchObject([{ details: 'Idle timeout' }])
  })

  test.each([
    [
      'Port',
      'No data has passed for 54 seconds. This session ends in 6 seconds unless something goes through it.',
    ],
    [
      'NonInteractiveCommands',
      'The command has read and written nothing for 54 seconds. This session ends in 6 seconds unless it reads or writes something.',
    ],
    [
      'InteractiveCommands',
      'Nothing was typed or printed for 54 seconds. This session ends in 6 seconds; press a key to keep it open.',
    ],
  ])('comes in the last tenth of a short limit, and says what keeps %s open', (sessionType, text) => {
    const { clock, attach } = setUp({ ...own, idleTimeoutMs: MINUTE, sessionType })
    const client = attach('client')
    clock.advance(54 * SECOND - 1)
    expect(notices(client)).toEqual([])
    clock.advance(SECOND)
    expect(notices(client)).toEqual([text])
  })

  test('comes before the maximum duration, which nothing puts off', () => {
    const { clock, attach, endings } = setUp({ ...own, maxDurationMs: 30 * MINUTE })
    const [client, agent] = [attach('client'), attach('agent')]
    for (let i = 0; i < 30; i++) {
      agent.receive(output(i))
      clock.advance(MINUTE)
    }
    expect(notices(client)).toEqual([
      'This session ends in 1 minute, when it reaches its maximum duration of 30 minutes. Nothing can put that off; save your work.',
    ])
    expect(endings).toMatchObject([{ details: 'Maximum duration' }])
  })

  test('waits for a client that is away', () => {
    const { clock, attach } = setUp({ ...own, maxDurationMs: 30 * MINUTE, idleTimeoutMs: 60 * MINUTE })
    attach('client').lose()
    clock.advance(29 * MINUTE + 10 * SECOND)
    const client = attach('client')
    clock.advance(SECOND)
    expect(notices(client)).toHaveLength(1)
  })

  test('is not for a stock client, which would not know what it is', () => {
    const { clock, attach, endings } = setUp({ ...own, agreed: false, idleTimeoutMs: MINUTE })
    const client = attach('client')
    clock.advance(2 * MINUTE)
    expect(endings.length).toBeGreaterThan(0)
    expect(client.types).toEqual(['channel_closed'])
  })
})

describe("a machine's time that steps", () => {
  test('ends no session early and none late', () => {
    const { clock, attach, endings } = setUp({ idleTimeoutMs: 20 * MINUTE, maxDurationMs: 30 * MINUTE })
    const client = attach('client')
    attach('agent')
    clock.setBack(-60 * MINUTE)
    clock.advance(SECOND)
    client.receive(input(0))
    expect(endings).toEqual([])
    clock.setBack(120 * MINUTE)
    clock.advance(20 * MINUTE)
    expect(endings).toMatchObject([{ details: 'Idle timeout' }])
  })
})

test('an answer to the handshake that comes too late ends the session, with a reason and a line in the log', () => {
  const { clock, attach, endings, log } = setUp({ sessionType: 'Port' })
  const [client, agent] = [attach('client'), attach('agent')]
  agent.receive(frameOf({ messageType: 'output_stream_data', payloadType: PayloadType.handshakeRequest }))
  clock.advance(16 * SECOND)
  client.receive(frameOf({ payloadType: PayloadType.handshakeResponse }))
  const reason =
    'The client answered the handshake 16 s after mi-0123456789abcdef0 had asked, which is too late.'
  expect(endings).toEqual([{ status: 'Failed', details: reason, output: reason, tellNode: true }])
  expect(agent.types).not.toContain('input_stream_data')
  expect(outputOf(client)).toBe(reason)
  expect(log.lines).toContainEqual(expect.objectContaining({ msg: 'handshake answered too late', reason }))
})
