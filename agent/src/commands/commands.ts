import { setMaxListeners } from 'node:events'
import { encodeControlMessage } from '@sallyport/protocol/control-channel'
import { ProtocolError } from '@sallyport/protocol/errors'
import type { Message } from '@sallyport/protocol/message'
import { MessageType } from '@sallyport/protocol/message-types'
import {
  type AgentJob,
  agentJobAckPayload,
  agentJobReplyAckPayload,
  type CommandReply,
  decodeAgentJob,
  JobAckCode,
} from '@sallyport/protocol/run-command'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import type { CommandLimits } from '../config.ts'
import { type AcceptedJob, CommandRecords, type StoredCommand } from './command-records.ts'
import { EndedCommands } from './ended-commands.ts'
import { type Job, readJob } from './job.ts'
import { CANCELLED, interrupted, NOT_REBOOTED, ownReply } from './own-replies.ts'
import { UNKNOWN_BOOT } from './reboot.ts'
import { Replies, type SendFrame } from './replies.ts'
import { type CommandContext, RunningCommand } from './running-command.ts'

/** How often the room that commands take is looked at. */
const TIDY_INTERVAL = 60_000
/** Of what is echoed to a server that names no command of this node. */
const MAXIMUM_JOB_ID = 200
/** A machine that is still there so long after it was told to restart does not. */
const REBOOT_WITHIN = 600_000
const MESSAGES: Readonly<Record<string, string>> = {
  [JobAckCode.accepted]: 'Successful',
  [JobAckCode.closed]: 'ClosedProcessor: the agent is stopping',
  [JobAckCode.full]: 'ProcessorBufferFull',
  [JobAckCode.internal]: 'the node cannot keep the command',
  [JobAckCode.duplicate]: 'DuplicateCommand',
  [JobAckCode.unparsable]: 'AgentJobMessageParseError',
}

/** A date further away cannot be written (ECMA-262 21.4.1.1). */
const LAST_DATE = 8.64e15

type Answer = (code: string) => void
type Unreadable = Extract<Job, { kind: 'unreadable' }>

export type CommandsOptions = Omit<CommandContext, 'stopping'> & { directory: string; limits: CommandLimits }

type Entry = {
  commandId: string
  state: 'waiting' | 'running' | 'rebooting' | 'ended'
  /** It is on the disk (false: could not be put there), and the server has been told so. */
  durable: Promise<boolean>
  ready: boolean
  /** Its acceptance implies that it was begun. */
  atOnce: boolean
  command: RunningCommand
}
type Made = Pick<Entry, 'commandId' | 'durable' | 'atOnce'> &
  Partial<Pick<StoredCommand, 'progress' | 'nextReply'>> & {
    content: string
  }

/** Run Command on the node: jobs in, each run once whatever happens to the agent, replies out. */
export class Commands {
  readonly #options: CommandsOptions
  readonly #context: CommandContext
  readonly #records: CommandRecords
  readonly #replies: Replies
  readonly #ended: EndedCommands
  readonly #entries = new Map<string, Entry | 'ended'>()
  readonly #waiting = new Set<Entry>()
  readonly #running = new Map<Entry, Promise<void>>()
  readonly #stopping = new AbortController()
  #rebooting = false
  #started: Promise<void> | undefined
  #send: SendFrame | undefined
  #cancelTidy: () => void = () => {}
  #cancelRebootWait: () => void = () => {}

  constructor(options: CommandsOptions) {
    this.#options = options
    setMaxListeners(0, this.#stopping.signal)
    this.#context = { ...options, reboot: () => this.#reboot(), stopping: this.#stopping.signal }
    this.#records = new CommandRecords(options.directory)
    this.#replies = new Replies({ ...options, records: this.#records })
    this.#ended = new EndedCommands(this.#records, options.log, id => this.#forget(id))
  }

  /** Commands that run, or that wait for it. */
  get count(): number {
    return this.#running.size + this.#waiting.size
  }

  /** Takes up what a former life left; jobs wait for it. Never rejects. */
  start(): Promise<void> {
    this.#started ??= this.#load().catch((error: Error) => {
      this.#options.log('cannot read the commands of before', { error: error.message })
    })
    return this.#started
  }

  connected(send: SendFrame): void {
    this.#send = send
    this.#replies.connected(send)
  }

  /** Nothing stops: what there is to say is said on the next connection. */
  disconnected(): void {
    this.#send = undefined
    this.#replies.disconnected()
  }

  /** An `agent_job` (data-plane.md 8.1). */
  receive(message: Message): void {
    this.#take(message).catch((error: Error) => {
      this.#options.log('cannot take a job', { error: error.message })
    })
  }

  /** An `agent_job_reply_ack`. Throws ProtocolError. */
  acknowledged(payload: Uint8Array): void {
    this.#replies.acknowledged(agentJobReplyAckPayload.decode(payload).acknowledgedMessageId)
  }

  /** Kills what runs; resolves when it is gone and its results are on the disk. What waits is begun by the next life. */
  async stop(): Promise<void> {
    await this.#started
    for (const entry of this.#running.keys()) entry.command.stop()
    this.#stopping.abort()
    this.#cancelTidy()
    this.#cancelRebootWait()
    await Promise.all(this.#running.values())
    this.disconnected()
  }

  async #take(message: Message): Promise<void> {
    const job = decodeJob(message.payload)
    await this.#started
    if (job === undefined) return this.#acknowledge(message, '', JobAckCode.unparsable)
    const answer = (code: string) => this.#acknowledge(message, job.jobId.slice(0, MAXIMUM_JOB_ID), code)
    const wanted = readJob(job, this.#options.nodeId)
    switch (wanted.kind) {
      case 'run':
        return await this.#accept(wanted.commandId, job.content, answer)
      case 'cancel':
        return await this.#cancel(wanted.commandId, answer)
      case 'unreadable':
        return await this.#refuse(wanted, job.jobId, answer)
    }
  }

  async #accept(commandId: string, content: string, answer: Answer): Promise<void> {
    const known = this.#entries.get(commandId)
    if (known !== undefined) return await this.#again(commandId, known, answer)
    if (this.#stopping.signal.aborted) return answer(JobAckCode.closed)
    const { running, waiting } = this.#options.limits
    const [ahead, places] = [this.#running.size + this.#waiting.size, running + waiting]
    if (ahead >= places || this.#ended.full) return answer(JobAckCode.full)
    const { clock } = this.#options
    const job = {
      acceptedAt: clock.now(),
      atOnce: ahead < running && !this.#rebooting,
      boot: this.#options.boot,
      content,
    }
    const durable = this.#keep(commandId, job).then(kept => {
      answer(kept ? JobAckCode.accepted : JobAckCode.internal)
      return kept
    })
    const entry = this.#enter({ commandId, durable, atOnce: job.atOnce, content })
    this.#waiting.add(entry)
    entry.ready = await durable
    if (!entry.ready) {
      this.#waiting.delete(entry)
      this.#entries.delete(commandId)
    }
    this.#fill()
  }

  /** A command is run once, however often it comes; if it is over, the server seems not to know it. */
  async #again(commandId: string, known: Entry | 'ended', answer: Answer): Promise<void> {
    if (known !== 'ended' && !(await known.durable)) return answer(JobAckCode.internal)
    answer(JobAckCode.duplicate)
    await this.#replies.repeat(commandId)
  }

  async #cancel(commandId: string, answer: Answer): Promise<void> {
    const known = this.#entries.get(commandId)
    if (known === undefined) return await this.#settle(commandId, CANCELLED, answer, JobAckCode.accepted)
    if (known === 'ended') {
      answer(JobAckCode.accepted)
      return await this.#replies.repeat(commandId)
    }
    if (!(await known.durable)) return answer(JobAckCode.internal)
    // First of all: neither does it begin any more, nor does a full disk keep alive what runs.
    const waited = this.#waiting.delete(known)
    known.command.cancel()
    answer((await this.#keepCancelled(commandId)) ? JobAckCode.accepted : JobAckCode.internal)
    if (waited) await this.#end(known, CANCELLED)
  }

  async #keepCancelled(commandId: string): Promise<boolean> {
    try {
      await this.#records.markCancelled(commandId)
      return true
    } catch (error) {
      this.#options.log('cannot keep a cancellation', { commandId, error: (error as Error).message })
      return false
    }
  }

  async #refuse(wanted: Unreadable, jobId: string, answer: Answer): Promise<void> {
    const { commandId, why } = wanted
    this.#options.log('a job cannot be read', { jobId: jobId.slice(0, MAXIMUM_JOB_ID), why })
    const said = ownReply('Failed', `The node cannot read the command: ${why}`)
    if (commandId !== undefined && !this.#entries.has(commandId)) {
      return await this.#settle(commandId, said, answer, JobAckCode.unparsable)
    }
    answer(commandId === undefined ? JobAckCode.unparsable : JobAckCode.duplicate)
    if (commandId === undefined && jobId.length <= MAXIMUM_JOB_ID) this.#replies.sayOnce(jobId, said)
  }

  /** Ends a command that has never been here, so that it will not be run when it comes. */
  async #settle(commandId: string, said: CommandReply, answer: Answer, code: string): Promise<void> {
    this.#entries.set(commandId, 'ended')
    const { boot, clock } = this.#options
    const kept = await this.#keep(commandId, { acceptedAt: clock.now(), atOnce: false, boot, content: '' })
    answer(kept ? code : JobAckCode.internal)
    if (!kept) return void this.#entries.delete(commandId)
    await this.#end(
      this.#enter({ commandId, durable: Promise.resolve(true), atOnce: false, content: '' }),
      said,
    )
  }

  async #keep(commandId: string, job: AcceptedJob): Promise<boolean> {
    try {
      await this.#records.accept(commandId, job)
      return true
    } catch (error) {
      this.#options.log('cannot keep a command', { commandId, error: (error as Error).message })
      return false
    }
  }

  #enter(made: Made): Entry {
    const { commandId, content, progress, nextReply = 1, ...rest } = made
    const life = { commandId, content, progress, nextReply }
    const command = new RunningCommand(this.#context, this.#records, this.#replies, life)
    const entry: Entry = { commandId, state: 'waiting', ready: false, command, ...rest }
    this.#entries.set(commandId, entry)
    return entry
  }

  /** In the order in which they came. */
  #fill(): void {
    for (const entry of this.#waiting) {
      const room = this.#running.size < this.#options.limits.running
      if (!room || !entry.ready || this.#rebooting || this.#stopping.signal.aborted) return
      this.#waiting.delete(entry)
      entry.state = 'running'
      this.#running.set(entry, this.#run(entry))
    }
  }

  async #run(entry: Entry): Promise<void> {
    const { commandId, atOnce, command } = entry
    const end = await command.run(() => this.#records.begin(commandId, !atOnce))
    this.#running.delete(entry)
    if (end === 'rebooting') entry.state = 'rebooting'
    else this.#over(entry)
    this.#fill()
  }

  async #end(entry: Entry, said: CommandReply): Promise<void> {
    await entry.command.finish(said)
    this.#over(entry)
  }

  #over(entry: Entry): void {
    entry.state = 'ended'
    this.#entries.set(entry.commandId, 'ended')
    const added = this.#ended.add(entry.commandId, this.#options.clock.now())
    added
      .then(() => (this.#ended.crowded ? this.#tidy() : undefined))
      .catch((error: Error) => this.#untidy(error))
  }

  async #reboot(): Promise<void> {
    this.#rebooting = true
    try {
      await this.#options.reboot()
    } catch (error) {
      this.#rebooting = false
      throw error
    }
    this.#cancelRebootWait()
    this.#cancelRebootWait = this.#options.clock.after(REBOOT_WITHIN, () => void this.#notRebooted())
  }

  async #notRebooted(): Promise<void> {
    this.#rebooting = false
    for (const entry of this.#entries.values()) {
      if (entry !== 'ended' && entry.state === 'rebooting') await this.#end(entry, NOT_REBOOTED)
    }
    this.#fill()
  }

  async #load(): Promise<void> {
    for (const stored of await this.#records.load()) {
      this.#replies.restore(stored.replies)
      if (stored.job === undefined) {
        this.#entries.set(stored.commandId, 'ended')
        await this.#ended.add(stored.commandId, stored.endedAt ?? 0)
      } else await this.#takeUp(stored, stored.job)
    }
    await this.#tidy()
    this.#scheduleTidy()
    this.#fill()
  }

  async #takeUp(stored: StoredCommand, job: AcceptedJob): Promise<void> {
    const { commandId, progress, nextReply } = stored
    const { content, atOnce } = job
    const entry = this.#enter({
      commandId,
      durable: Promise.resolve(true),
      atOnce,
      content,
      progress,
      nextReply,
    })
    entry.ready = true
    if (stored.cancelled || content === '') return await this.#end(entry, CANCELLED)
    if (progress?.resume !== undefined) {
      if (!this.#isThisBoot(progress.boot)) return void this.#waiting.add(entry)
      entry.state = 'rebooting'
      return await this.#reboot().catch((error: Error) =>
        this.#end(entry, ownReply('Failed', `The node could not be rebooted: ${error.message}`)),
      )
    }
    const begun = stored.begun || (atOnce && !this.#isThisBoot(job.boot))
    if (begun) await this.#end(entry, interrupted(commandId, content, progress?.finished ?? 0))
    else this.#waiting.add(entry)
  }

  /** Where boots cannot be told apart, what may have been run is taken to have been. */
  #isThisBoot(boot: string | undefined): boolean {
    return boot === this.#options.boot && boot !== UNKNOWN_BOOT
  }

  #scheduleTidy(): void {
    this.#cancelTidy = this.#options.clock.after(TIDY_INTERVAL, () => {
      this.#tidy()
        .catch(error => this.#untidy(error))
        .finally(() => !this.#stopping.signal.aborted && this.#scheduleTidy())
    })
  }

  async #tidy(): Promise<void> {
    const others = [...this.#entries].flatMap(([id, entry]) => (entry === 'ended' ? [] : [id]))
    await this.#ended.tidy(this.#options.clock.now(), others)
  }

  #untidy(error: Error): void {
    this.#options.log('cannot tidy up after commands', { error: error.message })
  }

  #forget(commandId: string): void {
    this.#entries.delete(commandId)
    this.#replies.forget(commandId)
  }

  #acknowledge(message: Message, jobId: string, statusCode: string): void {
    const payload = agentJobAckPayload.encode({
      jobId,
      acknowledgedMessageId: message.messageId,
      createdDate: new Date(Math.min(message.createdDate, LAST_DATE)).toISOString(),
      statusCode,
      errorMessage: MESSAGES[statusCode] ?? '',
    })
    this.#send?.(
      encodeControlMessage(nodeCrypto, this.#options.clock.now(), MessageType.agentJobAck, payload),
    )
  }
}

function decodeJob(payload: Uint8Array): AgentJob | undefined {
  try {
    return decodeAgentJob(payload)
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}
