import { PayloadType } from '@sallyport/protocol/message-types'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  call,
  expectQuick,
  frameOf,
  HostileNode,
  logLines,
  type RawChannel,
  RawShell,
} from './hostile-peer.ts'
import { connect, openConnect, openSession, type RemoteShell } from './remote-shell.ts'
import { type Stack, startStack } from './stack.ts'

// Clients and nodes that are let in and then say what they should not. It is their own connection that ends, for the
// reason that is in the log, and the session of a bystander goes on.

const MEGABYTE = 1024 * 1024
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
    'more than a megabyte': frameOf({ messageType: type, payload: new Uint8Array(MEGABYTE) }),
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
        if (frame.length > MEGABYTE) expect(code).toBe(MESSAGE_TOO_BIG)
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
      expect(code, what).toBe(frame.length > MEGABYTE ? MESSAGE_TOO_BIG : PROTOCOL_ERROR)
      control = await node.goOnline()
    }
    const types = Object.keys(malformed('agent_task_complete')).length
    expect(logLines(stack, node.id, 'protocol violation')).toHaveLength(types - 1)
  })

  afterAll(() => expectQuick(bystander))
})

describe('what an end may not send', () => {
  const channelClosed = frameOf({ messageType: 'channel_closed', payloadType: 0, payload: Buffer.from('{}') })
  const pause = frameOf({ messageType: 'pause_publication', payloadType: 0 })

  test('never reaches the other end, however often it comes', async () => {
    const { session, client, agent } = await node.openBothEnds()
    const forged = {
      client: [
        channelClosed,
        pause,
        frameOf({ messageType: 'output_stream_data' }),
        frameOf({ messageType: 'x' }),
      ],
      agent: [
        channelClosed,
        pause,
        frameOf({ messageType: 'input_stream_data' }),
        frameOf({ messageType: 'x' }),
      ],
    }
    for (let i = 0; i < 1000; i++) {
      client.connection.send(forged.client[i % 4] ?? pause)
      agent.connection.send(forged.agent[i % 4] ?? pause)
    }
    client.connection.send(frameOf({ payload: Buffer.from('from the client') }))
    agent.connection.send(
      frameOf({ messageType: 'output_stream_data', payload: Buffer.from('from the agent') }),
    )
    for (const [receiver, text] of [
      [agent, 'from the client'],
      [client, 'from the agent'],
    ] as const) {
      await expect
        .poll(() => receiver.received.map(frame => Buffer.from(frame.subarray(120)).toString()))
        .toEqual(['', text])
    }
    // One line for what an end does wrong, not one for each time.
    expect(logLines(stack, session.SessionId, 'protocol violation').length).toBeLessThanOrEqual(8)
    client.connection.terminate()
    agent.connection.terminate()
  })

  test("is a word about another node's session", async () => {
    const victim = bystander.sessionId
    const payload = {
      SchemaVersion: 1,
      TaskId: victim,
      Topic: 'agent_task_complete',
      FinalTaskStatus: 'Failed',
    }
    const forged = frameOf({
      messageType: 'agent_task_complete',
      payloadType: 0,
      payload: Buffer.from(JSON.stringify(payload)),
    })
    const before = control.received.length
    control.connection.send(forged)
    await expect.poll(() => control.received.length).toBeGreaterThan(before)
    await expectQuick(bystander)
    const { body } = await call(stack, 'DescribeSessions', { State: 'Active' })
    expect(body).toContain(victim)
  })
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
