import type { Clock } from '@sallyport/protocol/clock'
import type { Crypto } from '@sallyport/protocol/crypto'
import { ProtocolError } from '@sallyport/protocol/errors'
import type { Message } from '@sallyport/protocol/message'
import {
  type AgentJobReply,
  agentJobAckPayload,
  CANCEL_TOPIC,
  type CommandReply,
  decodeAgentJobReply,
  encodeAgentJob,
  encodeAgentJobReplyAck,
  JobAckCode,
  readCommandReply,
  readJobId,
  readText,
} from '@sallyport/protocol/run-command'
import type { Connection } from '@sallyport/protocol/transport/transport'
import { newUuid } from '@sallyport/protocol/uuid'
import type { Commands, JobName, OwedJob } from '../commands/commands.ts'
import type { Logger } from '../logger.ts'
import { UnansweredJobs } from './unanswered-jobs.ts'

/** A stock agent loses what comes before its processors are up, some 2 s after the opening (control-plane.md 11.6). */
export const FIRST_JOB_AFTER = 3_000
/** After so long jobs that could not be read from the store are tried again. */
const RETRY_AFTER = 2_000
/**
 * What is owed is asked for again after so long: to a stock agent a hundred jobs take five seconds, and what is cancelled
 * in that time, or has ended, must not go out any more.
 */
export const MAXIMUM_AGE = 250
/** As many jobs as are told at once: when half of so many are settled there is room for others. */
const MAXIMUM_OWED = 100
/** Of cancelling jobs the ids are remembered until they are acknowledged; a forgotten one is sent again. */
const MAXIMUM_CANCELS = 2 * MAXIMUM_OWED
/** With so much on its way to the node, further jobs wait until it is gone. */
export const MAXIMUM_BUFFERED = 1024 * 1024
/** Of what the node says of itself, for the log and for who asks why. */
const MAXIMUM_CODE = 32
const MAXIMUM_ERROR_MESSAGE = 500
const MAXIMUM_LOGGED_ID = 128
/** Answers that are of no use: an agent has few, from a former life of it; who sends more floods the log. */
export const MAXIMUM_USELESS = 100

/** What becomes of commands, as far as nodes tell it. It takes what it is told in the order of the calls. */
export type NodeCommands = Pick<Commands, 'owed' | 'sent' | 'accepted' | 'refused' | 'reported'>

type CommandLink = {
  nodeId: string
  connection: Connection
  crypto: Crypto
  clock: Clock
  logger: Logger
  commands: NodeCommands
  /** Sends a frame when a stock agent can take it, or at once. Neither fails. */
  sendPaced(frame: () => Uint8Array): Promise<void>
  send(frame: () => Uint8Array): void
  /** Ends the channel. */
  violation(error: ProtocolError): void
}

/** Run Command on a node's control channel: jobs go out, acknowledgements and replies come in (data-plane.md 8). */
export class CommandChannel {
  readonly #link: CommandLink
  readonly #unanswered: UnansweredJobs
  /** Job ids of cancelling jobs, the oldest first, and the commands that they cancel. */
  readonly #cancels = new Map<string, string>()
  #begun = false
  #agentIsOurs = false
  #agentIsUp = false
  #closed = false
  #delivering = false
  #deliverAgain = false
  /** More was owed than was told. */
  #moreOwed = false
  /** Jobs wait until the network has taken what there is. */
  #clogged = false
  #useless = 0
  /** Before the first time that jobs are sent, and before they are read again after a failure. */
  #cancelWait = () => {}

  constructor(link: CommandLink) {
    this.#link = link
    this.#unanswered = new UnansweredJobs(link.clock, () => void this.deliver())
  }

  /** The node is online: what is owed to it goes out, to a stock agent after a moment. */
  begin(): void {
    this.#begun = true
    if (this.#agentIsOurs) return void this.deliver()
    this.#cancelWait = this.#after(FIRST_JOB_AFTER, () => {
      this.#agentIsUp = true
      void this.deliver()
    })
  }

  /** The agent has shown that it is ours: it loses nothing, and needs no pause between jobs. */
  agentIsOurs(): void {
    if (this.#agentIsOurs) return
    this.#agentIsOurs = true
    this.#cancelWait()
    void this.deliver()
  }

  /** Sends what is owed to the node and not on its way. Never rejects. */
  async deliver(): Promise<void> {
    if (!this.#begun || !(this.#agentIsOurs || this.#agentIsUp)) return
    this.#deliverAgain = true
    if (this.#delivering) return
    this.#delivering = true
    const { nodeId, commands, logger } = this.#link
    try {
      while (this.#deliverAgain && !this.#closed) {
        this.#deliverAgain = false
        this.#unanswered.beginRound()
        await this.#sendNew(await commands.owed(nodeId))
      }
    } catch (error) {
      logger.error({ nodeId, err: error }, 'jobs could not be read')
      this.#cancelWait = this.#after(RETRY_AFTER, () => void this.deliver())
    } finally {
      this.#delivering = false
    }
  }

  /** The network has taken what there was. */
  drained(): void {
    if (!this.#clogged || this.#link.connection.bufferedBytes > MAXIMUM_BUFFERED) return
    this.#clogged = false
    void this.deliver()
  }

  /** An agent_job_ack; resolves when it is stored, or cannot be. Throws ProtocolError for what is none. */
  acknowledged(message: Message): Promise<unknown> {
    const { jobId, statusCode, errorMessage } = agentJobAckPayload.decode(message.payload)
    const job = this.#jobOf(jobId)
    if (job === undefined) {
      this.#ignore(jobId, 'it acknowledges a job that is not for this node')
      return Promise.resolve(false)
    }
    this.#cancels.delete(jobId)
    const { nodeId, commands } = this.#link
    const has = statusCode === JobAckCode.accepted || statusCode === JobAckCode.duplicate
    return this.#settle(job, () => {
      if (has) return commands.accepted(nodeId, job)
      const code = readText(statusCode, MAXIMUM_CODE)
      return commands.refused(nodeId, job, code, readText(errorMessage, MAXIMUM_ERROR_MESSAGE))
    })
  }

  /**
   * An agent_job_reply; resolves when it is stored and acknowledged, or cannot be. Throws ProtocolError for what is none.
   * What will make no more sense when it comes again, in five minutes, is acknowledged too.
   */
  replied(message: Message): Promise<unknown> {
    const reply = decodeAgentJobReply(message.payload)
    const { crypto, clock, send } = this.#link
    return this.#store(reply).then(done => {
      if (done) send(() => encodeAgentJobReplyAck(crypto, clock.now(), message.messageId, reply.jobId))
    })
  }

  close(): void {
    this.#closed = true
    this.#cancelWait()
    this.#unanswered.close()
  }

  async #sendNew(jobs: readonly OwedJob[]): Promise<void> {
    this.#moreOwed = jobs.length >= MAXIMUM_OWED
    this.#unanswered.forgetOverdue()
    const { clock } = this.#link
    const until = clock.monotonic() + MAXIMUM_AGE
    for (const owed of jobs) {
      if (this.#closed) return
      if (this.#unanswered.has(owed)) continue
      if (clock.monotonic() >= until) {
        this.#deliverAgain = true
        break
      }
      if (this.#link.connection.bufferedBytes > MAXIMUM_BUFFERED) {
        this.#clogged = true
        break
      }
      await this.#send(owed)
    }
    this.#unanswered.watch()
  }

  async #send(owed: OwedJob): Promise<void> {
    const { nodeId, crypto, clock, commands, send, sendPaced } = this.#link
    const { kind, commandId, job } = owed
    const frame = () => {
      this.#unanswered.sent(owed)
      if (kind === 'cancel') this.#rememberCancel(job.jobId, commandId)
      else commands.sent(nodeId, [commandId])
      return encodeAgentJob(crypto, clock.now(), newUuid(crypto), job)
    }
    if (this.#agentIsOurs) send(frame)
    else await sendPaced(frame)
  }

  #rememberCancel(jobId: string, commandId: string): void {
    this.#cancels.set(jobId, commandId)
    if (this.#cancels.size <= MAXIMUM_CANCELS) return
    for (const oldest of this.#cancels.keys()) return void this.#cancels.delete(oldest)
  }

  /** What a job id names, if it is this node's. */
  #jobOf(jobId: string): JobName | undefined {
    const cancelled = this.#cancels.get(jobId)
    if (cancelled !== undefined) return { kind: 'cancel', commandId: cancelled }
    const named = readJobId(jobId)
    return named?.nodeId === this.#link.nodeId ? { kind: 'command', commandId: named.commandId } : undefined
  }

  /** Whether it need not come again. */
  async #store({ jobId, topic, content }: AgentJobReply): Promise<boolean> {
    // A cancelling job has a reply of its own, which says nothing (control-plane.md 10.2).
    if (topic.startsWith(CANCEL_TOPIC)) return true
    const job = this.#jobOf(jobId)
    if (job?.kind !== 'command') {
      this.#ignore(jobId, 'it replies to a job that is not for this node')
      return true
    }
    const { nodeId, commands } = this.#link
    const reply = this.#read(job.commandId, content)
    // Who replies has the job, even if the acknowledgement was lost.
    return !reply || this.#settle(job, () => commands.reported(nodeId, job.commandId, reply))
  }

  #read(commandId: string, content: string): CommandReply | undefined {
    try {
      return readCommandReply(content)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#ignore(commandId, error.message)
      return undefined
    }
  }

  /** False if the answer could not be stored: then the job is sent again, or the answer comes again. */
  async #settle(job: JobName, store: () => Promise<void>): Promise<boolean> {
    const { nodeId, logger } = this.#link
    try {
      await this.#unanswered.whileStoring(job, store())
    } catch (error) {
      logger.error({ nodeId, commandId: job.commandId, err: error }, 'an answer could not be stored')
      return false
    }
    if (this.#moreOwed && this.#unanswered.size <= MAXIMUM_OWED / 2) void this.deliver()
    return true
  }

  #after(milliseconds: number, action: () => void): () => void {
    return this.#closed ? () => {} : this.#link.clock.after(milliseconds, action)
  }

  #ignore(jobId: string, reason: string): void {
    const { nodeId, logger, violation } = this.#link
    if (this.#useless++ < MAXIMUM_USELESS) {
      logger.warn({ nodeId, jobId: jobId.slice(0, MAXIMUM_LOGGED_ID), reason }, 'answer of a node ignored')
    } else {
      violation(new ProtocolError('unexpected-message', 'too many answers that are of no use'))
    }
  }
}
