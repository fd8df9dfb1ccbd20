import { utf8 } from './bytes.ts'
import { encodeControlMessage } from './control-channel.ts'
import type { Crypto } from './crypto.ts'
import { ProtocolError } from './errors.ts'
import { jsonRecord, parseJson } from './json-record.ts'
import { MessageType } from './message-types.ts'

// Run Command on the control channel and in ec2messages (data-plane.md 8, control-plane.md 9, 10).

/** Agents look at the beginning only; AWS's topics go on with the region. */
export const SEND_TOPIC = 'aws.ssm.sendCommand'
export const CANCEL_TOPIC = 'aws.ssm.cancelCommand'

const jobRecord = jsonRecord('agent_job', {
  SchemaVersion: 'number',
  JobId: 'string',
  Topic: 'string',
  Content: 'string',
})
/** `Content` is JSON text: a CommandContent or a CancelContent, by the topic. */
export type AgentJob = { jobId: string; topic: string; content: string }

const contentFields = {
  Parameters: 'json?',
  DocumentContent: 'json',
  CommandId: 'string',
  DocumentName: 'string',
  OutputS3KeyPrefix: 'string?',
  OutputS3BucketName: 'string?',
  CloudWatchLogGroupName: 'string?',
  CloudWatchOutputEnabled: 'string?',
} as const
/** What a node is told to run (control-plane.md 10.1). `CloudWatchOutputEnabled` is a string, `Parameters` by name. */
export const commandContent = jsonRecord('content of agent_job', contentFields)

export const cancelContent = jsonRecord('content of a cancelling agent_job', { CancelMessageId: 'string' })

const ackFields = {
  jobId: 'string',
  acknowledgedMessageId: 'string?',
  createdDate: 'string?',
  statusCode: 'string',
  errorMessage: 'string?',
} as const
export const agentJobAckPayload = jsonRecord('agent_job_ack', ackFields)

/** data-plane.md 8.3 */
export const JobAckCode = {
  accepted: '200',
  closed: '51401',
  full: '51402',
  unexpectedDocumentType: '51403',
  internal: '51404',
  duplicate: '51405',
  invalidDocument: '51406',
  notInContainers: '51407',
  unparsable: '51408',
  unexpected: '51499',
} as const

const replyRecord = jsonRecord('agent_job_reply', {
  schemaVersion: 'number',
  jobId: 'string',
  content: 'string',
  topic: 'string',
})
export type AgentJobReply = { jobId: string; topic: string; content: string }

/** Agents match on acknowledgedMessageId alone. */
export const agentJobReplyAckPayload = jsonRecord('agent_job_reply_ack', {
  jobId: 'string',
  acknowledgedMessageId: 'string',
})

const resultRecord = jsonRecord('reply to a command', {
  additionalInfo: 'json?',
  documentStatus: 'string',
  documentTraceOutput: 'string?',
  runtimeStatus: 'json?',
})
const stepRecord = jsonRecord('step of a reply', {
  status: 'string',
  code: 'number?',
  name: 'string?',
  output: 'string?',
  startDateTime: 'string?',
  endDateTime: 'string?',
  standardOutput: 'string?',
  standardError: 'string?',
})

/** On the wire for documents and for steps (control-plane.md 10.3); a peer may send others. */
export const documentStatuses = [
  'NotStarted',
  'InProgress',
  'Success',
  'SuccessAndReboot',
  'PassedAndReboot',
  'Failed',
  'Cancelled',
  'TimedOut',
  'Skipped',
] as const
export type DocumentStatus = (typeof documentStatuses)[number]

export type StepReply = {
  /** The plugin's name in schema 1.x, the step's in 2.x: the key in `runtimeStatus`. */
  name: string
  status: DocumentStatus
  code: number
  output: string
  standardOutput: string
  standardError: string
  /** Milliseconds since the epoch. */
  startedAt: number | undefined
  endedAt: number | undefined
}

/** What a node says of a command, whichever way it says it. */
export type CommandReply = { status: DocumentStatus; trace: string; steps: readonly StepReply[] }

/** A document of 64 KB may have as many in its shortest form. */
const MAXIMUM_STEPS = 1_000
const MAXIMUM_STEP_NAME = 256
const MAXIMUM_JOB_ID = 256
/** As the agent cuts them (control-plane.md 10.2), the mark of the cut included. */
const MAXIMUM_OUTPUT = 2_500
const MAXIMUM_STREAM = 24_000

/** Both the name of a command on a node and that of the message that brings it; agents read the command id from it. */
export function jobIdOf(commandId: string, nodeId: string): string {
  return `aws.ssm.${commandId}.${nodeId}`
}

/** The command and the node of a job id; undefined for what is none, such as the uuid of a cancelling job. */
export function readJobId(jobId: string): { commandId: string; nodeId: string } | undefined {
  if (jobId.length > MAXIMUM_JOB_ID) return undefined
  const [, commandId, nodeId] = /^aws\.ssm\.([^.\s]+)\.([^.\s]+)$/.exec(jobId) ?? []
  return commandId === undefined || nodeId === undefined ? undefined : { commandId, nodeId }
}

export function encodeAgentJob(crypto: Crypto, now: number, messageId: string, job: AgentJob): Uint8Array {
  const payload = jobRecord.encode({
    SchemaVersion: 1,
    JobId: job.jobId,
    Topic: job.topic,
    Content: job.content,
  })
  return encodeControlMessage(crypto, now, MessageType.agentJob, payload, { messageId })
}

export function decodeAgentJob(payload: Uint8Array): AgentJob {
  const { JobId, Topic, Content } = jobRecord.decode(payload)
  return { jobId: JobId, topic: Topic, content: Content }
}

export function encodeAgentJobReply(
  crypto: Crypto,
  now: number,
  messageId: string,
  reply: AgentJobReply,
): Uint8Array {
  const { jobId, topic, content } = reply
  const payload = replyRecord.encode({ schemaVersion: 1, jobId, content, topic })
  return encodeControlMessage(crypto, now, MessageType.agentJobReply, payload, { messageId })
}

export function decodeAgentJobReply(payload: Uint8Array): AgentJobReply {
  const { jobId, topic, content } = replyRecord.decode(payload)
  return { jobId, topic, content }
}

/** Tells the agent that its reply, which came in the message `messageId`, need not come again. */
export function encodeAgentJobReplyAck(
  crypto: Crypto,
  now: number,
  messageId: string,
  jobId: string,
): Uint8Array {
  const payload = agentJobReplyAckPayload.encode({ jobId, acknowledgedMessageId: messageId })
  return encodeControlMessage(crypto, now, MessageType.agentJobReplyAck, payload)
}

/** The JSON text in `content` of a reply, or in the payload of SendReply. Throws ProtocolError. */
export function readCommandReply(text: string): CommandReply {
  const { documentStatus, documentTraceOutput, runtimeStatus } = resultRecord.read(
    parseJson('reply to a command', utf8(text)),
  )
  if (typeof (runtimeStatus ?? {}) !== 'object' || Array.isArray(runtimeStatus)) {
    throw new ProtocolError('bad-payload', 'runtimeStatus of a reply is not a JSON object')
  }
  const entries = Object.entries(runtimeStatus ?? {})
  if (entries.length > MAXIMUM_STEPS) {
    throw new ProtocolError(
      'bad-payload',
      `a reply tells of ${entries.length} steps, more than ${MAXIMUM_STEPS}`,
    )
  }
  return {
    status: readStatus(documentStatus),
    trace: readText(documentTraceOutput, MAXIMUM_OUTPUT),
    steps: entries.map(([name, step]) => readStep(name, step)),
  }
}

function readStep(name: string, json: unknown): StepReply {
  if (name.length > MAXIMUM_STEP_NAME) {
    throw new ProtocolError(
      'bad-payload',
      `the name of a step has ${name.length} characters, more than ${MAXIMUM_STEP_NAME}`,
    )
  }
  const step = stepRecord.read(json)
  return {
    name,
    status: readStatus(step.status),
    // Of 32 bits in the API; those of Windows are unsigned, such as 3221225477 for an access violation.
    code: Number.isSafeInteger(step.code) ? (step.code ?? 0) | 0 : 0,
    output: readText(step.output, MAXIMUM_OUTPUT),
    standardOutput: readText(step.standardOutput, MAXIMUM_STREAM),
    standardError: readText(step.standardError, MAXIMUM_STREAM),
    startedAt: readTime(step.startDateTime),
    endedAt: readTime(step.endDateTime),
  }
}

/**
 * What a node says, at most so many characters of it, as it can be kept: a database takes a NUL for the end of the text,
 * and has no place for half a character.
 */
export function readText(text: string | undefined, most: number): string {
  return (text ?? '')
    .slice(0, most)
    .replaceAll('\0', '?')
    .replace(/\p{Surrogate}/gu, '\ufffd')
}

function readStatus(text: string): DocumentStatus {
  const status = documentStatuses.find(known => known === text)
  if (status === undefined) {
    throw new ProtocolError(
      'bad-payload',
      `${JSON.stringify(text.slice(0, 40))} is not the status of a command`,
    )
  }
  return status
}

/** Agents send Go's zero time, of the year 1, for what has not happened. */
function readTime(text: string | undefined): number | undefined {
  const time = text === undefined ? Number.NaN : Date.parse(text)
  return time > 0 ? time : undefined
}

/** The JSON text of a reply as agents send it; `info` is their `additionalInfo`. */
export function writeCommandReply(reply: CommandReply, info: object): string {
  const steps = reply.steps.map(step => [
    step.name,
    {
      status: step.status,
      code: step.code,
      name: step.name,
      output: step.output,
      startDateTime: new Date(step.startedAt ?? 0).toISOString(),
      endDateTime: new Date(step.endedAt ?? 0).toISOString(),
      outputS3BucketName: '',
      outputS3KeyPrefix: '',
      stepName: '',
      standardOutput: step.standardOutput,
      standardError: step.standardError,
    },
  ])
  return JSON.stringify({
    additionalInfo: info,
    documentStatus: reply.status,
    documentTraceOutput: reply.trace,
    runtimeStatus: Object.fromEntries(steps),
  })
}
