import { utf8 } from './bytes.ts'
import type { Crypto } from './crypto.ts'
import { ProtocolError } from './errors.ts'
import { jsonRecord, parseJson, type RecordOf } from './json-record.ts'
import { encodeMessage } from './message.ts'
import { MessageFlag, MessageType, PayloadType } from './message-types.ts'
import { channelClosedPayload } from './payloads.ts'
import { newUuid } from './uuid.ts'

// Messages of the control channel that have to do with sessions (data-plane.md 7). None of them is numbered.

const taskFields = {
  DocumentName: 'string',
  SessionId: 'string',
  RunAsUser: 'string?',
  SessionOwner: 'string?',
  Parameters: 'json?',
  DocumentContent: 'json',
  Sallyport: 'json?',
} as const
const taskRecord = jsonRecord('session task', taskFields)
/**
 * What an agent is told to start (data-plane.md 7.1). String parameters are plain strings here, never lists. `Sallyport`
 * is ours, stock agents ignore it: `Destinations`, the list of `{ Host, Port }` that policies allowed the session.
 */
export type SessionTask = RecordOf<typeof taskFields>

const envelopeRecord = jsonRecord('interactive_shell', {
  SchemaVersion: 'number',
  TaskId: 'string?',
  Topic: 'string?',
  Content: 'string',
})

const taskCompleteFields = {
  SchemaVersion: 'number',
  TaskId: 'string',
  Topic: 'string',
  FinalTaskStatus: 'string',
  IsRoutingFailure: 'boolean?',
  AwsAccountId: 'string?',
  InstanceId: 'string?',
  Output: 'string?',
  S3Bucket: 'string?',
  S3UrlSuffix: 'string?',
  CwlGroup: 'string?',
  CwlStream: 'string?',
  RetryNumber: 'number?',
} as const
/** data-plane.md 7.4 */
export const taskCompletePayload = jsonRecord('agent_task_complete', taskCompleteFields)
export type TaskComplete = RecordOf<typeof taskCompleteFields>
export const TaskStatus = { success: 'Success', failed: 'Failed', cancelled: 'Cancelled' } as const

/** data-plane.md 7.4: agents match on MessageId alone. */
export const taskAcknowledgePayload = jsonRecord('agent_task_acknowledge', {
  SchemaVersion: 'number',
  MessageId: 'string',
  TaskId: 'string',
  Topic: 'string',
})

const agentSessionsRecord = jsonRecord('agent_sessions', { SessionIds: 'json' })
/** As many sessions as an agent runs, and as many results as it keeps. */
export const MAXIMUM_AGENT_SESSIONS = 2000
/** control-plane.md 19 */
const MAXIMUM_SESSION_ID = 96

const SCHEMA_VERSION = 1
export const TASK_COMPLETE_TOPIC = MessageType.agentTaskComplete

/** A whole frame of a message that carries no sequence number; `now` in ms since the epoch. */
export function encodeControlMessage(
  crypto: Crypto,
  now: number,
  messageType: string,
  payload: Uint8Array,
  options: { messageId?: string; flags?: number } = {},
): Uint8Array {
  return encodeMessage(crypto, {
    messageType,
    createdDate: now,
    sequenceNumber: 0,
    flags: options.flags ?? MessageFlag.none,
    messageId: options.messageId ?? newUuid(crypto),
    payloadType: PayloadType.none,
    payload,
  })
}

/** The frame that starts a session of any type. */
export function encodeSessionTask(crypto: Crypto, now: number, task: SessionTask): Uint8Array {
  const payload = envelopeRecord.encode({
    SchemaVersion: SCHEMA_VERSION,
    TaskId: task.SessionId,
    Topic: '',
    Content: JSON.stringify(task),
  })
  return encodeControlMessage(crypto, now, MessageType.interactiveShell, payload)
}

export function decodeSessionTask(payload: Uint8Array): SessionTask {
  const { Content } = envelopeRecord.decode(payload)
  return taskRecord.read(parseJson('session task', utf8(Content)))
}

/**
 * Ours: every session that an agent has, or whose result it still has to deliver, told whenever it opens its control
 * channel. What it does not name has been lost with a former life of it, of which nobody else would ever tell.
 */
export function encodeAgentSessions(crypto: Crypto, now: number, sessionIds: readonly string[]): Uint8Array {
  const payload = agentSessionsRecord.encode({ SessionIds: sessionIds })
  return encodeControlMessage(crypto, now, MessageType.agentSessions, payload)
}

/** Throws ProtocolError 'bad-json' or 'bad-payload', also for more than MAXIMUM_AGENT_SESSIONS. */
export function decodeAgentSessions(payload: Uint8Array): ReadonlySet<string> {
  const { SessionIds: ids } = agentSessionsRecord.decode(payload)
  if (!Array.isArray(ids) || ids.length > MAXIMUM_AGENT_SESSIONS || !ids.every(isSessionId)) {
    throw new ProtocolError(
      'bad-payload',
      `SessionIds of agent_sessions is not a list of at most ${MAXIMUM_AGENT_SESSIONS} session ids`,
    )
  }
  return new Set(ids)
}

function isSessionId(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAXIMUM_SESSION_ID
}

export type ChannelClosing = {
  sessionId: string
  /** The node, or the session for a client. */
  destinationId: string
  /** What the user is told; empty for an ordinary end. */
  output?: string
}

/** The frame that ends a session, for a control channel or a data channel (data-plane.md 7.5, 11.5). */
export function encodeChannelClosed(crypto: Crypto, now: number, closing: ChannelClosing): Uint8Array {
  const messageId = newUuid(crypto)
  const payload = channelClosedPayload.encode({
    MessageType: MessageType.channelClosed,
    MessageId: messageId,
    DestinationId: closing.destinationId,
    SessionId: closing.sessionId,
    SchemaVersion: SCHEMA_VERSION,
    CreatedDate: new Date(now).toISOString(),
    Output: closing.output ?? '',
  })
  return encodeControlMessage(crypto, now, MessageType.channelClosed, payload, {
    messageId,
    flags: MessageFlag.synFin,
  })
}

export function encodeTaskAcknowledge(
  crypto: Crypto,
  now: number,
  messageId: string,
  taskId: string,
): Uint8Array {
  const payload = taskAcknowledgePayload.encode({
    SchemaVersion: SCHEMA_VERSION,
    MessageId: messageId,
    TaskId: taskId,
    Topic: TASK_COMPLETE_TOPIC,
  })
  return encodeControlMessage(crypto, now, MessageType.agentTaskAcknowledge, payload)
}
