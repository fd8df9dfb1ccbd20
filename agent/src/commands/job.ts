import { utf8 } from '@sallyport/protocol/bytes'
import { ProtocolError } from '@sallyport/protocol/errors'
import { parseJson } from '@sallyport/protocol/json-record'
import {
  type AgentJob,
  CANCEL_TOPIC,
  cancelContent,
  commandContent,
  readJobId,
  SEND_TOPIC,
} from '@sallyport/protocol/run-command'
import { isObject } from './json.ts'

/** Lower case only: on some file systems two spellings would be one directory. */
const COMMAND_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

type CommandJob = {
  commandId: string
  documentName: string
  document: object
  parameters: Record<string, unknown>
}

/** What the server asks of the node; of what cannot be read, the command that it was about if that much is known. */
export type Job =
  | { kind: 'run'; commandId: string }
  | { kind: 'cancel'; commandId: string }
  | { kind: 'unreadable'; commandId: string | undefined; why: string }

/** Whether it may become the name of a directory (security-cases.md 38). */
export function isCommandId(text: string): boolean {
  return COMMAND_ID.test(text)
}

/** Only jobs of this node: another's id in its name is as wrong as one that is no uuid. */
export function readJob(job: AgentJob, nodeId: string): Job {
  let commandId: string | undefined
  try {
    if (job.topic.startsWith(CANCEL_TOPIC)) {
      const { CancelMessageId } = cancelContent.read(parseJson('content', utf8(job.content)))
      return { kind: 'cancel', commandId: ownCommand(CancelMessageId, nodeId) }
    }
    if (!job.topic.startsWith(SEND_TOPIC)) {
      throw new ProtocolError('bad-payload', `the topic ${JSON.stringify(job.topic.slice(0, 60))} is unknown`)
    }
    commandId = ownCommand(job.jobId, nodeId)
    readCommand(commandId, job.content)
    return { kind: 'run', commandId }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return { kind: 'unreadable', commandId, why: error.message }
  }
}

/** The `Content` of a job that runs a command. Throws ProtocolError. */
export function readCommand(commandId: string, text: string): CommandJob {
  const content = commandContent.read(parseJson('content of agent_job', utf8(text)))
  if (content.CommandId !== commandId) {
    throw new ProtocolError('bad-payload', 'CommandId in the content is not that of the job')
  }
  const document = objectOf('DocumentContent', content.DocumentContent)
  const parameters = objectOf('Parameters', content.Parameters ?? {})
  return { commandId, documentName: content.DocumentName, document, parameters }
}

function ownCommand(jobId: string, nodeId: string): string {
  const name = readJobId(jobId)
  if (name === undefined || !isCommandId(name.commandId)) {
    throw new ProtocolError('bad-payload', `${JSON.stringify(jobId.slice(0, 120))} does not name a command`)
  }
  if (name.nodeId !== nodeId) {
    throw new ProtocolError('bad-payload', `the job is for ${name.nodeId.slice(0, 40)}; this is ${nodeId}`)
  }
  return name.commandId
}

function objectOf(what: string, value: unknown): Record<string, unknown> {
  if (!isObject(value)) throw new ProtocolError('bad-payload', `${what} is not a JSON object`)
  return value
}

/** The steps of a document in their order, by the names that results carry (control-plane.md 10.2). */
export function stepNames(document: unknown): string[] {
  const { mainSteps, runtimeConfig } = (document ?? {}) as { mainSteps?: unknown; runtimeConfig?: unknown }
  if (Array.isArray(mainSteps))
    return mainSteps.map(step => String((step as { name?: unknown } | null)?.name))
  return typeof runtimeConfig === 'object' && runtimeConfig !== null ? Object.keys(runtimeConfig) : []
}
