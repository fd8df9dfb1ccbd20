import { describe, expect, test } from 'vitest'
import { decodeUtf8, utf8 } from './bytes.ts'
import {
  decodeAgentSessions,
  decodeSessionTask,
  encodeAgentSessions,
  encodeChannelClosed,
  encodeControlMessage,
  encodeSessionTask,
  encodeTaskAcknowledge,
  MAXIMUM_AGENT_SESSIONS,
  type SessionTask,
  taskAcknowledgePayload,
  taskCompletePayload,
} from './control-channel.ts'
import { decodeMessage } from './message.ts'
import { MessageType } from './message-types.ts'
import { nodeCrypto } from './transport/node-crypto.ts'

const NOW = 1_706_702_400_000
const task: SessionTask = {
  DocumentName: 'SSM-SessionManagerRunShell',
  SessionId: 'alice-0a1b2c3d4e5f67890',
  RunAsUser: '',
  SessionOwner: 'arn:aws:iam::123456789012:user/alice',
  Parameters: { portNumber: '5432' },
  DocumentContent: { schemaVersion: '1.0', sessionType: 'Standard_Stream', inputs: {} },
}

describe('a session’s task', () => {
  test('is an envelope with JSON in a string of its own (data-plane.md 7.1)', () => {
    const message = decodeMessage(nodeCrypto, encodeSessionTask(nodeCrypto, NOW, task))
    expect(message).toMatchObject({
      messageType: 'interactive_shell',
      createdDate: NOW,
      sequenceNumber: 0,
      flags: 0,
      payloadType: 0,
    })
    const envelope = JSON.parse(decodeUtf8(message.payload))
    expect(envelope).toEqual({
      SchemaVersion: 1,
      TaskId: task.SessionId,
      Topic: '',
      Content: expect.any(String),
    })
    expect(JSON.parse(envelope.Content)).toEqual(task)
    expect(decodeSessionTask(message.payload)).toEqual(task)
  })

  test('is read in the camelCase in which AWS writes the envelope', () => {
    const content = JSON.stringify(task)
    const envelope = { schemaVersion: 1, taskId: 'dummy', topic: 'dummy', content }
    expect(decodeSessionTask(utf8(JSON.stringify(envelope)))).toEqual(task)
  })

  test.each([
    ['{"SchemaVersion":"1","Content":"{}"}', /SchemaVersion of interactive_shell is a string/],
    ['{"SchemaVersion":1}', /lacks Content/],
    ['{"SchemaVersion":1,"Content":{}}', /Content of interactive_shell is a object, not a string/],
    ['{"SchemaVersion":1,"Content":"{"}', /session task is not valid JSON/],
    ['{"SchemaVersion":1,"Content":"{}"}', /session task lacks DocumentName/],
    ['{"SchemaVersion":1,"Content":"[[[[]]]]"}', /session task is not a JSON object/],
  ])('%s is refused with its reason', (text, message) => {
    expect(() => decodeSessionTask(utf8(text))).toThrow(
      expect.objectContaining({ name: 'ProtocolError', message: expect.stringMatching(message) }),
    )
  })
})

describe('the end of a session', () => {
  test('has the types on which a stock agent insists (data-plane.md 7.5)', () => {
    const frame = encodeChannelClosed(nodeCrypto, NOW, {
      sessionId: 's',
      destinationId: 'i-1',
      output: 'idle',
    })
    const message = decodeMessage(nodeCrypto, frame)
    expect(message).toMatchObject({ messageType: 'channel_closed', sequenceNumber: 0, flags: 3 })
    expect(JSON.parse(decodeUtf8(message.payload))).toEqual({
      MessageType: 'channel_closed',
      MessageId: message.messageId,
      DestinationId: 'i-1',
      SessionId: 's',
      SchemaVersion: 1,
      CreatedDate: '2024-01-31T12:00:00.000Z',
      Output: 'idle',
    })
    const silent = decodeMessage(
      nodeCrypto,
      encodeChannelClosed(nodeCrypto, NOW, { sessionId: 's', destinationId: 's' }),
    )
    expect(JSON.parse(decodeUtf8(silent.payload)).Output).toBe('')
  })

  test('is reported by a stock agent in these words, and acknowledged by message id (data-plane.md 7.4)', () => {
    const report =
      '{"SchemaVersion":1,"TaskId":"s","Topic":"agent_task_complete","FinalTaskStatus":"Success","IsRoutingFailure":false,"AwsAccountId":"","InstanceId":"i-0123456789abcdef0","Output":"","S3Bucket":"","S3UrlSuffix":"","CwlGroup":"","CwlStream":"","RetryNumber":1}'
    expect(decodeUtf8(taskCompletePayload.encode(taskCompletePayload.decode(utf8(report))))).toBe(report)
    const id = '01234567-89ab-4cde-8f01-23456789abcd'
    const answer = decodeMessage(nodeCrypto, encodeTaskAcknowledge(nodeCrypto, NOW, id, 's'))
    expect(answer.messageType).toBe('agent_task_acknowledge')
    expect(decodeUtf8(answer.payload)).toBe(
      `{"SchemaVersion":1,"MessageId":"${id}","TaskId":"s","Topic":"agent_task_complete"}`,
    )
    expect(taskAcknowledgePayload.decode(answer.payload).MessageId).toBe(id)
  })
})

test('a control message gets a new id unless it is a repetition', () => {
  const encode = (options = {}) =>
    decodeMessage(
      nodeCrypto,
      encodeControlMessage(nodeCrypto, NOW, MessageType.channelClosed, utf8('{}'), options),
    )
  expect(encode().messageId).not.toBe(encode().messageId)
  const messageId = '01234567-89ab-4cde-8f01-23456789abcd'
  expect(encode({ messageId, flags: 3 })).toMatchObject({ messageId, flags: 3 })
})

describe('the sessions of an agent', () => {
  test('are told as JSON, none too', () => {
    const message = decodeMessage(nodeCrypto, encodeAgentSessions(nodeCrypto, NOW, ['alice-1', 'bob-2']))
    expect(message).toMatchObject({ messageType: 'agent_sessions', sequenceNumber: 0, payloadType: 0 })
    expect(decodeUtf8(message.payload)).toBe('{"SessionIds":["alice-1","bob-2"]}')
    expect(decodeAgentSessions(message.payload)).toEqual(new Set(['alice-1', 'bob-2']))
    expect(decodeAgentSessions(utf8('{"SessionIds":[]}')).size).toBe(0)
  })

  test.each([
    ['{}', /lacks SessionIds/],
    ['{"SessionIds":"alice-1"}', /not a list/],
    ['{"SessionIds":[1]}', /not a list/],
    [`{"SessionIds":["${'a'.repeat(97)}"]}`, /not a list/],
    [JSON.stringify({ SessionIds: Array(MAXIMUM_AGENT_SESSIONS + 1).fill('a') }), /at most 2000/],
  ])('are refused as %.40s', (json, message) => {
    expect(() => decodeAgentSessions(utf8(json))).toThrow(message)
  })

  test('fit a frame of a control channel, however many', () => {
    const ids = Array.from({ length: MAXIMUM_AGENT_SESSIONS }, (_, i) => String(i).padStart(96, 'x'))
    const frame = encodeAgentSessions(nodeCrypto, NOW, ids)
    expect(frame.length).toBeLessThan(256 * 1024)
    expect(decodeAgentSessions(decodeMessage(nodeCrypto, frame).payload).size).toBe(MAXIMUM_AGENT_SESSIONS)
  })
})
