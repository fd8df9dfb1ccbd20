// What the tests of commands on control channels share: a stand-in for what becomes of commands, which owes what the test
// says and writes down what it is told, and channels to nodes, which are the test's.

import { ManualClock } from '@sallyport/protocol/manual-clock'
import {
  agentJobReplyAckPayload,
  CANCEL_TOPIC,
  type CommandReply,
  decodeAgentJob,
  SEND_TOPIC,
} from '@sallyport/protocol/run-command'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import type { JobName, OwedJob } from '../commands/commands.ts'
import { FIRST_JOB_AFTER, type NodeCommands } from './command-channel.ts'
import { ControlChannel } from './control-channel.ts'
import { decode, FakeConnection, readableLog, word } from './testing.ts'

export function commandJob(nodeId: string, commandId: string, content = '{}'): OwedJob {
  const job = { jobId: `aws.ssm.${commandId}.${nodeId}`, topic: SEND_TOPIC, content }
  return { kind: 'command', commandId, job }
}

export function cancelJob(nodeId: string, commandId: string, uuid: string): OwedJob {
  const content = JSON.stringify({ CancelMessageId: `aws.ssm.${commandId}.${nodeId}` })
  return { kind: 'cancel', commandId, job: { jobId: uuid, topic: CANCEL_TOPIC, content } }
}

export class CommandsForTest implements NodeCommands {
  /** The test's to fill; what is accepted or refused is not owed any more. */
  readonly jobs: OwedJob[] = []
  readonly told: string[] = []
  readonly replies: CommandReply[] = []
  readonly announced: string[] = []
  asked = 0
  fails = false
  /** Nothing that nodes say is stored before. */
  stored: Promise<void> = Promise.resolve()
  /** Nothing that is owed is known before. */
  read: Promise<void> = Promise.resolve()

  async owed(): Promise<OwedJob[]> {
    this.asked++
    if (this.fails) throw new Error('the store is busy')
    const jobs = this.jobs.slice(0, 100)
    await this.read
    return jobs
  }

  sent(_nodeId: string, commandIds: readonly string[]): void {
    this.announced.push(...commandIds)
  }

  async accepted(_nodeId: string, job: JobName): Promise<void> {
    await this.#store(`accepted ${job.kind} ${job.commandId}`)
    this.#settle(job)
  }

  async refused(_nodeId: string, job: JobName, code: string, message: string): Promise<void> {
    await this.#store(`refused ${job.kind} ${job.commandId} ${code} ${message}`)
    this.#settle(job)
  }

  async reported(_nodeId: string, commandId: string, reply: CommandReply): Promise<void> {
    await this.#store(`reported ${commandId} ${reply.status}`)
    this.replies.push(reply)
    this.#settle({ kind: 'command', commandId })
  }

  async #store(what: string): Promise<void> {
    this.told.push(what)
    await this.stored
    if (this.fails) throw new Error('the disk is full')
  }

  #settle({ kind, commandId }: JobName): void {
    const at = this.jobs.findIndex(job => job.kind === kind && job.commandId === commandId)
    if (at !== -1) this.jobs.splice(at, 1)
  }
}

export const NODE = 'mi-0123456789abcdef0'
export const OTHER = 'mi-0fedcba9876543210'
export const UUID = '3f1d7b61-5f31-4b0e-9a55-6f6c6fbb1b01'

type Setting = { clock?: ManualClock; commands?: CommandsForTest }

export function setUp({ clock = new ManualClock(), commands = new CommandsForTest() }: Setting = {}) {
  const log = readableLog()
  const connection = new FakeConnection()
  const sentAt: number[] = []
  const send = connection.send.bind(connection)
  connection.send = data => {
    sentAt.push(clock.now())
    send(data)
  }
  const channel = new ControlChannel({
    nodeId: NODE,
    connection,
    crypto: nodeCrypto,
    clock,
    logger: log.logger,
    pingEvery: 1e9,
    pongTimeout: 1e9,
    commands,
    loadTasks: async () => [],
    onDelivered: async () => {},
    onTaskComplete: async () => {},
    onSessions: async () => {},
    onClosed: () => {},
  })
  channel.open()
  return { clock, commands, channel, connection, sentAt, log }
}

/** An agent of AWS's that has been online for a while. */
export async function stock(setting?: Setting) {
  const peer = setUp(setting)
  peer.channel.beginCommands()
  await peer.clock.play(FIRST_JOB_AFTER)
  return peer
}

/** Our own agent. */
export async function own(setting?: Setting) {
  const peer = setUp(setting)
  peer.connection.receive(word('agent_sessions', { SessionIds: [] }))
  peer.channel.beginCommands()
  await peer.clock.play(0)
  return peer
}

export const idOf = (commandId: string, nodeId = NODE) => `aws.ssm.${commandId}.${nodeId}`
export const ack = (jobId: string, statusCode = '200', errorMessage = 'Successful') =>
  word('agent_job_ack', {
    jobId,
    acknowledgedMessageId: UUID,
    createdDate: '2023-11-14T22:13:20.000Z',
    statusCode,
    errorMessage,
  })
export const reply = (commandId: string, documentStatus: string, more: object = {}) =>
  word('agent_job_reply', {
    schemaVersion: 1,
    jobId: idOf(commandId),
    content: JSON.stringify({ documentStatus, documentTraceOutput: '', runtimeStatus: null }),
    topic: 'aws.ssm.sendCommand',
    ...more,
  })
export const jobs = (connection: FakeConnection) =>
  connection.sent
    .map(decode)
    .filter(({ messageType }) => messageType === 'agent_job')
    .map(({ payload }) => decodeAgentJob(payload).jobId)
export const acknowledged = (connection: FakeConnection) =>
  connection.sent
    .map(decode)
    .filter(({ messageType }) => messageType === 'agent_job_reply_ack')
    .map(({ payload }) => agentJobReplyAckPayload.decode(payload).acknowledgedMessageId)
export const ignored = ({ log }: { log: ReturnType<typeof readableLog> }) =>
  log.lines.filter(({ msg }) => msg === 'answer of a node ignored').map(({ reason }) => reason)

export function gate() {
  let open = () => {}
  const closed = new Promise<void>(resolve => {
    open = resolve
  })
  return { closed, open }
}
