import type { Clock } from '@sallyport/protocol/clock'
import type { CommandReply, DocumentStatus, StepReply } from '@sallyport/protocol/run-command'
import type { ControlPlane } from '../control-plane.ts'
import type { Log } from '../log.ts'
import { type CommandRecords, type Progress, RESULT, replyFile } from './command-records.ts'
import type {
  DocumentEnvironment,
  DocumentOutcome,
  DocumentProgress,
  DocumentRequest,
} from './document-request.ts'
import { readCommand, stepNames } from './job.ts'
import { OutputUpload } from './output-upload.ts'
import type { Replies } from './replies.ts'
import { replyContent } from './reply-content.ts'
import type { runDocument } from './run-document.ts'

/** What ends sooner has nothing to say before its result. */
const SAY_RUNNING_AFTER = 200
/** How long the end of processes is waited for when the agent stops. */
const STOP_WITHIN = 5_000
/** A document that asks for more of them would do so for ever. */
const MAXIMUM_REBOOTS = 10
const STOPPED = 'The agent on the node was stopped.'
const CANCELLED = 'The command was cancelled.'

/** What commands need of the node and of the agent. */
export type CommandContext = {
  nodeId: string
  environment: DocumentEnvironment
  run: typeof runDocument
  server: Pick<ControlPlane, 'call'>
  reboot: () => Promise<void>
  update?: DocumentRequest['update']
  /** Which boot of the machine this is. */
  boot: string
  /** Aborts when the agent stops. */
  stopping: AbortSignal
  clock: Clock
  log: Log
}

type Life = {
  commandId: string
  /** `Content` of its job. */
  content: string
  /** It goes on after a reboot. */
  progress: Progress | undefined
  /** Number of its next reply. */
  nextReply: number
}

/** One command from its beginning, or from a reboot, to its end or to a reboot. */
export class RunningCommand {
  readonly #context: CommandContext
  readonly #records: CommandRecords
  readonly #replies: Replies
  readonly #life: Life
  readonly #abort = new AbortController()
  readonly #finished: DocumentStatus[]
  #progress: Progress
  /** Replies go in order, each when the one before is on disk. */
  #said: Promise<void> = Promise.resolve()
  #nextReply: number
  #end: 'stopped' | 'rebooting' | undefined
  #giveUp: () => void = () => {}
  #cancelGiveUp: () => void = () => {}

  constructor(context: CommandContext, records: CommandRecords, replies: Replies, life: Life) {
    this.#context = context
    this.#records = records
    this.#replies = replies
    this.#life = life
    this.#nextReply = life.nextReply
    this.#progress = { finished: 0, reboots: 0, ...life.progress }
    this.#finished = life.progress?.resume?.steps.map(step => step.status) ?? []
  }

  cancel(): void {
    this.#abort.abort()
  }

  /** The agent stops: what runs is killed, unless the machine goes down for this very command. */
  stop(): void {
    // One that was cancelled before ends as that.
    if (!this.#abort.signal.aborted) this.#end ??= 'stopped'
    this.#abort.abort()
    this.#cancelGiveUp = this.#context.clock.after(STOP_WITHIN, () => this.#giveUp())
  }

  /** Never rejects. `begin` makes durable that it has begun and answers the directory for its steps. */
  async run(begin: () => Promise<string>): Promise<'ended' | 'rebooting'> {
    const quiet = this.#context.clock.after(SAY_RUNNING_AFTER, () => this.#say('InProgress', []))
    const outcome = await this.#execute(begin).catch((error: Error) =>
      failed(`The agent failed: ${error.message}`),
    )
    quiet()
    this.#cancelGiveUp()
    await this.#said
    if (this.#end === 'rebooting') return 'rebooting'
    const stopped = this.#end === 'stopped' && outcome.status !== 'Success'
    await this.finish(
      stopped ? { ...outcome, status: 'Failed', trace: `${STOPPED} ${outcome.trace}`.trim() } : outcome,
    )
    return 'ended'
  }

  /** The last word. Of more than one step the others have been reported (control-plane.md 10.2). */
  async finish({ status, trace, steps }: CommandReply): Promise<void> {
    await this.#said
    const { commandId } = this.#life
    const said = { status, trace, steps: steps.length === 1 ? steps : [] }
    const finished = this.#finished.length > 0 ? this.#finished : steps.map(step => step.status)
    await this.#replies.add(commandId, RESULT, replyContent(said, this.#context.clock.now(), finished))
    this.#context.log('command ended', { commandId, status })
  }

  async #execute(begin: () => Promise<string>): Promise<DocumentOutcome> {
    const { signal } = this.#abort
    if (signal.aborted) {
      return this.#end === undefined
        ? { ...failed(CANCELLED), status: 'Cancelled' }
        : failed('It had not begun.')
    }
    const directory = await begin()
    const { resume, finished, reboots } = this.#progress
    // From now on it is running, as far as another life of the agent is concerned.
    if (resume !== undefined)
      await this.#records.writeProgress(this.#life.commandId, { finished, reboots }, true)
    const gaveUp = new Promise<DocumentOutcome>(resolve => {
      this.#giveUp = () => resolve(failed('Its processes did not end.'))
    })
    return await Promise.race([this.#context.run(this.#request(directory, resume)), gaveUp])
  }

  #request(directory: string, resume: DocumentProgress | undefined): DocumentRequest {
    const { nodeId, server, environment, update, stopping, clock, log } = this.#context
    const { commandId, content } = this.#life
    const { documentName, document, parameters } = readCommand(commandId, content)
    const oneStep = stepNames(document).length <= 1
    const resumed = resume !== undefined
    return {
      commandId,
      nodeId,
      documentName,
      document,
      parameters,
      directory,
      signal: this.#abort.signal,
      ...(resumed && { resume }),
      server,
      environment,
      log,
      onStep: step => this.#stepEnded(step, oneStep),
      onProgress: progress => this.#proceed(progress),
      output: new OutputUpload({
        ...{ server, commandId, nodeId, directory, resumed, clock, log },
        signal: stopping,
      }),
      reboot: () => this.#reboot(),
      ...(update !== undefined && { update }),
    }
  }

  #stepEnded(step: StepReply, oneStep: boolean): void {
    this.#finished.push(step.status)
    // Of one step the result tells all, at once.
    if (!oneStep) this.#say('InProgress', [step])
  }

  #say(status: DocumentStatus, steps: readonly StepReply[]): void {
    const file = replyFile(this.#nextReply++)
    const content = replyContent({ status, trace: '', steps }, this.#context.clock.now(), this.#finished)
    this.#said = this.#said.then(() => this.#replies.add(this.#life.commandId, file, content))
  }

  async #proceed(progress: DocumentProgress): Promise<void> {
    const { reboots } = this.#progress
    const finished = progress.steps.length
    const next =
      progress.again === undefined
        ? { finished, reboots }
        : { finished, reboots: reboots + 1, boot: this.#context.boot, resume: progress }
    await this.#said
    await this.#records.writeProgress(this.#life.commandId, next, next.resume !== undefined)
    this.#progress = next
  }

  async #reboot(): Promise<void> {
    const { commandId } = this.#life
    const { reboots } = this.#progress
    if (reboots > MAXIMUM_REBOOTS)
      throw new Error(`the command has had the node rebooted ${MAXIMUM_REBOOTS} times`)
    this.#context.log('a command wants a reboot', { commandId, reboots })
    const before = this.#end
    this.#end = 'rebooting'
    try {
      await this.#context.reboot()
    } catch (error) {
      this.#end = before
      throw error
    }
  }
}

function failed(trace: string): DocumentOutcome {
  return { status: 'Failed', trace, steps: [], reboot: false }
}
