import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { PayloadType } from '@sallyport/protocol/message-types'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  call,
  expectQuick,
  frameOf,
  HostileNode,
  logLines,
  openData,
  type RawChannel,
  RawShell,
  startSession,
} from './hostile-peer.ts'
import { connect, openConnect, openSession, type RemoteShell } from './remote-shell.ts'
import { type Stack, startStack } from './stack.ts'

// Clients and nodes that are let in and then say what they should not. It is their own connection that ends, for the
// reason that is in the log, and the session of a bystander goes on.

/** What no frame may exceed on a data channel, and on a control channel. */
const TOO_BIG = { data: 80 * 1024, control: 256 * 1024 }
const PROTOCOL_ERROR = 1002
const MESSAGE_TOO_BIG = 1009
const START_TIMEOUT_S = 3

let stack: Stack
let node: HostileNode
let control: RawChannel
let bystander: RemoteShell

beforeAll(async () => {
  stack = await startStack({ serverEnv: { SALLYPORT_SESSION_START_TIMEOUT: String(START_TIMEOUT_S) } })
  node = await HostileNode.register(stack, 'hostile')
  control = await node.goOnline()
  bystander = await connect(stack)
})

afterAll(async () => {
  await bystander?.[Symbol.asyncDispose]()
  await stack?.[Symbol.asyncDispose]()
})

function patched(type: string, change: (bytes: Buffer) => void): Uint8Array {
  const frame = Buffer.from(frameOf({ messageType: type }))
  change(frame)
  return frame
}

/** Every way for a frame to be wrong (data-plane.md 2.1, 2.5). */
function malformed(type: string): Record<string, Uint8Array | string> {
  const json = (text: string) =>
    frameOf({ messageType: 'acknowledge', payloadType: 0, payload: Buffer.from(text) })
  return {
    'no bytes': new Uint8Array(0),
    'one byte': Uint8Array.of(0),
    'a byte less than a header': frameOf({ messageType: type, payload: new Uint8Array(0) }).subarray(1),
    'a word': 'hello',
    'JSON that is as long as a frame': `{"message":"${'x'.repeat(200)}"}`,
    'HeaderLength 0': patched(type, frame => frame.writeUInt32BE(0, 0)),
    'HeaderLength 117': patched(type, frame => frame.writeUInt32BE(117, 0)),
    'HeaderLength beyond all ends': patched(type, frame => frame.writeUInt32BE(0xffffffff, 0)),
    'no MessageType': patched(type, frame => frame.fill(' ', 4, 36)),
    'CreatedDate 0': patched(type, frame => frame.writeBigUInt64BE(0n, 40)),
    'a negative SequenceNumber': patched(type, frame => frame.writeBigInt64BE(-1n, 48)),
    'a SequenceNumber that no number can hold': patched(type, frame => frame.writeBigInt64BE(2n ** 62n, 48)),
    'another digest': patched(type, frame => frame.fill(0, 80, 112)),
    'a PayloadLength that is too small': patched(type, frame => frame.writeUInt32BE(0, 116)),
    'a PayloadLength that is too large': patched(type, frame => frame.writeUInt32BE(0xffffffff, 116)),
    'more than any message has': frameOf({
      messageType: type,
      payload: new Uint8Array(type === 'agent_task_complete' ? TOO_BIG.control : TOO_BIG.data),
    }),
    ...(type === 'input_stream_data' && {
      'an acknowledgement that is no JSON': json('acknowledged'),
      'an acknowledgement that is a list': json('[]'),
      'an acknowledgement of "3"': json(
        '{"AcknowledgedMessageType":"","AcknowledgedMessageId":"","AcknowledgedMessageSequenceNumber":"3"}',
      ),
    }),
    ...(type === 'output_stream_data' && {
      'a session state that is no JSON': frameOf({
        messageType: 'agent_session_state',
        payload: Buffer.from('x'),
      }),
    }),
  }
}

describe('a malformed frame ends the connection of its sender, and no other', () => {
  for (const role of ['client', 'agent'] as const) {
    const type = role === 'client' ? 'input_stream_data' : 'output_stream_data'
    for (const [what, frame] of Object.entries(malformed(type))) {
      test(`${what}, from the ${role}'s end`, async () => {
        const both = await node.openBothEnds()
        const [sender, other] = role === 'client' ? [both.client, both.agent] : [both.agent, both.client]
        sender.connection.send(frame)
        const { code, reason } = await sender.closed
        if (frame.length > TOO_BIG.data) expect(code).toBe(MESSAGE_TOO_BIG)
        else expect({ code, reason }).toEqual({ code: PROTOCOL_ERROR, reason: expect.stringMatching(/./) })
        const { SessionId } = both.session
        await expect.poll(() => logLines(stack, SessionId, 'data channel lost')).toHaveLength(1)
        if (code === PROTOCOL_ERROR) {
          expect(logLines(stack, SessionId, 'protocol violation')).toEqual([
            expect.objectContaining({ role, reason: expect.stringContaining(reason) }),
          ])
        }
        // What the other end has got is that its peer came, and that it went.
        const types = () =>
          other.received.map(received => Buffer.from(received.subarray(4, 36)).toString().trim())
        await expect.poll(types).toEqual(['start_publication', 'pause_publication'])
        other.connection.terminate()
      })
    }
  }

  test('on a control channel', async () => {
    for (const [what, frame] of Object.entries(malformed('agent_task_complete'))) {
      control.connection.send(frame)
      const { code } = await control.closed
      expect(code, what).toBe(frame.length > TOO_BIG.control ? MESSAGE_TOO_BIG : PROTOCOL_ERROR)
      control = await node.goOnline()
    }
    const types = Object.keys(malformed('agent_task_complete')).length
    expect(logLines(stack, node.id, 'protocol violation')).toHaveLength(types - 1)
  })

  afterAll(() => expectQuick(bystander))
})

describe('what an end may not send', () => {
  const json = (messageType: string, payload: object) =>
    frameOf({ messageType, payloadType: 0, payload: Buffer.from(JSON.stringify(payload)) })
  const typesOf = ({ received }: RawChannel) =>
    received.map(frame => Buffer.from(frame.subarray(4, 36)).toString().trim())

  const forged = {
    client: [
      json('channel_closed', {}),
      frameOf({ messageType: 'pause_publication', payloadType: 0 }),
      frameOf({ messageType: 'output_stream_data' }),
      json('agent_session_state', { SchemaVersion: 1, SessionState: 'Terminating', SessionId: 's' }),
      json('session_notice', { Text: 'Type your password.' }),
    ],
    agent: [
      json('channel_closed', {}),
      frameOf({ messageType: 'start_publication', payloadType: 0 }),
      frameOf({ messageType: 'input_stream_data' }),
      json('session_notice', { Text: 'Type your password.' }),
    ],
  }
  for (const role of ['client', 'agent'] as const) {
    test(`ends the connection of the ${role} who sends it, and never reaches the other end`, async () => {
      for (const frame of forged[role]) {
        const both = await node.openBothEnds()
        const [sender, other] = role === 'client' ? [both.client, both.agent] : [both.agent, both.client]
        for (let i = 0; i < 100; i++) sender.connection.send(frame)
        const reason = expect.stringContaining(`the ${role} must not send`)
        expect(await sender.closed).toEqual({ code: PROTOCOL_ERROR, reason })
        await expect.poll(() => typesOf(other)).toEqual(['start_publication', 'pause_publication'])
        expect(logLines(stack, both.session.SessionId, 'protocol violation')).toEqual([
          expect.objectContaining({ role, code: 'unexpected-message', reason }),
        ])
        other.connection.terminate()
      }
    })
  }

  test('is dropped if nobody knows what it is, however often it comes', async () => {
    const { session, client, agent } = await node.openBothEnds()
    for (let i = 0; i < 1000; i++) client.connection.send(frameOf({ messageType: 'of_another_age' }))
    client.connection.send(frameOf({ payload: Buffer.from('from the client') }))
    await expect.poll(() => typesOf(agent)).toEqual(['start_publication', 'input_stream_data'])
    expect(logLines(stack, session.SessionId, 'unknown type')).toHaveLength(1)
    client.connection.terminate()
    agent.connection.terminate()
  })

  test("is a word about another node's session, on the control channel", async () => {
    const victim = bystander.sessionId
    const payload = { SchemaVersion: 1, TaskId: victim, Topic: 'x', FinalTaskStatus: 'Failed' }
    control.connection.send(json('agent_task_complete', payload))
    const reason = `it speaks for the session of another node, ${victim}`
    expect(await control.closed).toEqual({ code: PROTOCOL_ERROR, reason })
    expect(logLines(stack, node.id, reason)[0]).toMatchObject({ msg: 'protocol violation' })
    control = await node.goOnline()
    await expectQuick(bystander)
    const { body } = await call(stack, 'DescribeSessions', { State: 'Active' })
    expect(body).toContain(victim)
  })

  test("is a word about another node's session, on a data channel", async () => {
    const { session, client, agent } = await node.openBothEnds()
    const victim = bystander.sessionId
    const state = { SchemaVersion: 1, SessionState: 'Terminating', SessionId: victim }
    agent.connection.send(json('agent_session_state', state))
    const reason = `the agent speaks for another session, ${victim}`
    expect(await agent.closed).toEqual({ code: PROTOCOL_ERROR, reason })
    expect(logLines(stack, session.SessionId, 'protocol violation')).toHaveLength(1)
    await expectQuick(bystander)
    client.connection.terminate()
  })

  test('is a number from nowhere, of a message or of an acknowledgement', async () => {
    const acknowledgement = json('acknowledge', {
      AcknowledgedMessageType: 'output_stream_data',
      AcknowledgedMessageId: '',
      AcknowledgedMessageSequenceNumber: 2 ** 40,
    })
    for (const frame of [frameOf({ sequenceNumber: 2 ** 40 }), acknowledgement]) {
      const { session, client, agent } = await node.openBothEnds()
      agent.connection.send(frameOf({ messageType: 'output_stream_data' }))
      client.connection.send(frameOf({}))
      await expect.poll(() => [typesOf(client).length, typesOf(agent).length]).toEqual([2, 2])
      client.connection.send(frame)
      const reason = expect.stringContaining(`${2 ** 40} is far beyond 0`)
      expect(await client.closed).toEqual({ code: PROTOCOL_ERROR, reason })
      expect(logLines(stack, session.SessionId, 'protocol violation')).toHaveLength(1)
      agent.connection.terminate()
    }
  })
})

test('a client that skips the handshake types into nothing, and its session fails', async () => {
  const { SessionId, TokenValue, StreamUrl } = await startSession(stack, stack.node.id)
  const client = await openData(stack, StreamUrl, { token: TokenValue })
  const trace = join(stack.directory, 'typed-without-handshake')
  client.connection.send(frameOf({ payload: Buffer.from(`touch ${trace}\r`) }))
  client.connection.send(frameOf({ sequenceNumber: 1, payload: Buffer.from('exit\r') }))
  const reason = 'Handshake timed out: the client did not answer within 15 s.'
  await expect
    .poll(() => client.received.some(frame => Buffer.from(frame).includes(reason)), { timeout: 25_000 })
    .toBe(true)
  const { Sessions } = await stack.api(
    'describe-sessions',
    '--state',
    'History',
    '--filters',
    `key=SessionId,value=${SessionId}`,
  )
  expect(Sessions).toMatchObject([{ Status: 'Failed', Details: reason }])
  expect(existsSync(trace)).toBe(false)
  client.connection.terminate()
})

test('a message that makes no sense to the agent ends its session, with the reason', async () => {
  const shell = await RawShell.open(stack, stack.node.id)
  const nonsense = Buffer.from('{"cols":-1,"rows":1}')
  shell.connection.send(frameOf({ sequenceNumber: 2, payloadType: PayloadType.size, payload: nonsense }))
  expect(await shell.ended).toBe('a terminal cannot have -1 columns and 1 rows')
  await expectQuick(bystander)
})

describe('a node that takes a session and never opens its end of it', () => {
  const reason = `${START_TIMEOUT_S} s. Its agent is connected but does not answer`

  test('is named to the person who waits, and in the record', async () => {
    await using ours = openConnect(stack, [node.id])
    await using theirs = openSession(stack, ['--target', node.id])
    await ours.terminal.waitFor(`${node.id} did not open its end of the session within ${reason}`)
    expect((await ours.ended()).status).not.toBe(0)
    await theirs.terminal.waitFor(`${node.id} did not open its end of the session within ${reason}`)
    expect((await theirs.ended()).status).not.toBe(0)
    const { Sessions } = await stack.api(
      'describe-sessions',
      '--state',
      'History',
      '--filters',
      `key=Target,value=${node.id}`,
    )
    expect(Sessions).toContainEqual(
      expect.objectContaining({ Status: 'Failed', Details: expect.stringContaining(reason) }),
    )
    await expectQuick(bystander)
  })
})
