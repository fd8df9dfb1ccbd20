import type {
  Command,
  GetCommandInvocationOutput,
  WatchedInvocation,
} from '@sallyport/protocol/api/ssm-commands'
import type { ApiClient } from '../client.ts'
import { CliError, EXIT } from '../errors.ts'
import { inertJson, inertLines, inertOutputLine } from '../inert.ts'
import { CollectedOutput, lastLines } from './collected.ts'
import { OutputFollower } from './follow-output.ts'
import { type Wish, watchInterrupts } from './interrupts.ts'
import { type Change, failureOf, Invocations } from './invocations.ts'
import type { KeySource } from './keys.ts'
import { formatElapsed, progressLine } from './progress.ts'
import type { Screen } from './screen.ts'
import { eventSink, groupedSink, type OutputSink, plainSink, prefixSink } from './sinks.ts'
import { type Persistence, watchCommand } from './watch.ts'

export type OutputMode = 'plain' | 'prefix' | 'grouped' | 'none' | 'json' | 'json-lines'

export type RunningOptions = {
  client: ApiClient
  command: Command
  screen: Screen
  /** `plain`: for several nodes `prefix`. */
  output: OutputMode
  canAsk: boolean
  stdin: KeySource
  process: Pick<NodeJS.Process, 'on' | 'off'>
  now: () => number
  wait: (ms: number) => Promise<void>
  manySteps: boolean
}

/** Of more nodes the output is read when they have ended. */
const MAX_LIVE = 20
/** What has ended by then shows no progress. */
const QUIET_MS = 500
const REDRAW_MS = 200
/** More of them nobody reads; `sallyport command show` has them all. */
const MAX_FAILURES_SHOWN = 100
const INTERRUPTED = 130
const SIGPIPE = 141

/** A command that was sent, until all its nodes have ended or the person wants no more of it. */
export class RunningCommand {
  readonly #options: RunningOptions
  readonly #invocations: Invocations
  readonly #mode: OutputMode
  readonly #collected = new CollectedOutput()
  readonly #follower: OutputFollower | undefined
  readonly #persistence: Persistence
  readonly #begun: number
  readonly #reports: Array<Promise<void>> = []
  #leave: (exitCode: number) => void = () => {}
  #failuresShown = 0
  #lost = false
  #asking = false
  #cancelled = false

  constructor(options: RunningOptions) {
    this.#options = options
    this.#begun = options.now()
    this.#invocations = new Invocations(options.command)
    const single = options.command.TargetCount === 1
    this.#mode = options.output === 'plain' && !single ? 'prefix' : options.output
    this.#persistence = { now: options.now, wait: options.wait, onLost: lost => this.#connection(lost) }
    const sink = this.#sink()
    this.#follower = sink && new OutputFollower({ ...this.#followOptions(sink), sink })
  }

  /** Resolves with the exit status. Rejects where the command cannot be watched. */
  async finish(): Promise<number> {
    const { screen, stdin, process, canAsk } = this.#options
    const left = new Promise<number>(resolve => {
      this.#leave = resolve
    })
    screen.onClosed(() => this.#leave(SIGPIPE))
    const interrupts = watchInterrupts({
      process,
      stdin,
      canAsk,
      showQuestion: shown => this.#ask(shown),
      onWish: wish => this.#wish(wish),
    })
    const timer = screen.live ? setInterval(() => this.#draw(), REDRAW_MS) : undefined
    try {
      return await Promise.race([this.#watch(), left])
    } finally {
      clearInterval(timer)
      interrupts.close()
      screen.close()
    }
  }

  get #id(): string {
    return this.#options.command.CommandId
  }

  async #watch(): Promise<number> {
    this.#event({ Event: 'Command', CommandId: this.#id, TargetCount: this.#options.command.TargetCount })
    try {
      for await (const answer of watchCommand(this.#options.client, this.#id, this.#persistence)) {
        for (const change of this.#invocations.take(answer)) this.#news(change)
        this.#draw()
      }
    } catch (error) {
      throw unwatchable(error, this.#id)
    }
    await this.#follower?.finished()
    await Promise.all(this.#reports)
    this.#options.screen.setStatus('')
    return this.#conclude()
  }

  #news({ invocation, began, ended }: Change): void {
    const node = { nodeId: invocation.InstanceId, label: this.#invocations.label(invocation) }
    if (began || ended) this.#event({ Event: 'Invocation', ...shownOf(invocation) })
    if (began) this.#follower?.began(node)
    if (ended) this.#reports.push(this.#ended(node, invocation))
  }

  async #ended(node: { nodeId: string; label: string }, invocation: WatchedInvocation): Promise<void> {
    await this.#follower?.ended(node, invocation)
    const { Status, StatusDetails } = invocation
    const ofItself = Status !== 'Success' && Status !== 'Cancelled' && StatusDetails !== 'Terminated'
    if (!ofItself || this.#invocations.total === 1 || this.#mode === 'json-lines') return
    if (this.#failuresShown++ >= MAX_FAILURES_SHOWN) return
    const { screen } = this.#options
    // Whoever is not there to see it gets it in the summary, or in the JSON.
    const lines = screen.live ? await this.#tail(invocation) : []
    const shown = lines.map(line => `\n    ${inertOutputLine(line)}`).join('')
    if (screen.live) screen.notice(`${this.#red('✗')} ${node.label}: ${failureOf(invocation)}${shown}`)
  }

  /** What the node said last, where nothing else shows it. */
  async #tail({ InstanceId }: WatchedInvocation): Promise<string[]> {
    if (this.#mode === 'json') return lastLines(this.#collected.of(InstanceId).StandardError)
    if (this.#mode !== 'none') return []
    try {
      const input = { CommandId: this.#id, InstanceId }
      const answer = await this.#options.client.call('ssm', 'GetCommandInvocation', input)
      return lastLines((answer as GetCommandInvocationOutput).StandardErrorContent)
    } catch {
      // Of several steps there is no single answer; then its status has to do.
      return []
    }
  }

  #conclude(): number {
    const { screen } = this.#options
    const { command } = this.#invocations
    const all = this.#invocations.all()
    const exitCode = this.#cancelled ? INTERRUPTED : exitCodeOf(all)
    if (this.#mode === 'json') screen.write('stdout', `${inertJson(this.#result(all))}\n`)
    this.#event({ Event: 'End', Status: command.Status, StatusDetails: command.StatusDetails })
    const [only] = all
    if (all.length === 1 && only !== undefined) this.#concludeOne(only)
    else if (screen.live || exitCode !== EXIT.ok) screen.notice(this.#summary(all))
    return exitCode
  }

  /** An exit status speaks for itself. */
  #concludeOne(only: WatchedInvocation): void {
    const { Status, ResponseCode } = only
    if (Status === 'Success' || (Status === 'Failed' && ResponseCode > 0)) return
    this.#options.screen.notice(
      `sallyport: ${this.#invocations.label(only)}: ${failureOf(only)} (command ${this.#id})`,
    )
  }

  #summary(all: readonly WatchedInvocation[]): string {
    const elapsed = formatElapsed(this.#options.now() - this.#begun)
    const { succeeded, failed, cancelled, notRun } = this.#invocations.tally()
    if (succeeded === all.length) return `${this.#green('✓')} All ${succeeded} nodes succeeded in ${elapsed}.`
    const parts = [
      succeeded > 0
        ? `${succeeded} of ${all.length} nodes succeeded`
        : `None of ${all.length} nodes succeeded`,
      ...(failed > 0 ? [`${failed} failed`] : []),
      ...(cancelled > 0 ? [`${cancelled} cancelled`] : []),
      ...(notRun > 0 ? [`${notRun} not run because of that`] : []),
    ]
    const failures = this.#options.screen.live ? [] : this.#failureLines(all)
    const head = `${this.#red('✗')} ${parts.join(', ')}, in ${elapsed}.`
    return [head, ...failures, `More: sallyport command show ${this.#id}`].join('\n')
  }

  #failureLines(all: readonly WatchedInvocation[]): string[] {
    const failed = all.filter(({ Status }) => Status === 'Failed' || Status === 'TimedOut')
    const own = failed.filter(({ StatusDetails }) => StatusDetails !== 'Terminated')
    const lines = own
      .slice(0, MAX_FAILURES_SHOWN)
      .map(each => `  ${this.#invocations.label(each)}: ${failureOf(each)}`)
    return own.length > lines.length ? [...lines, `  and ${own.length - lines.length} more`] : lines
  }

  #result(all: readonly WatchedInvocation[]) {
    const { CommandId, DocumentName, Status, StatusDetails, TargetCount } = this.#invocations.command
    const Nodes = all.map(each => ({ ...shownOf(each), ...this.#collected.of(each.InstanceId) }))
    return { CommandId, DocumentName, Status, StatusDetails, TargetCount, Nodes }
  }

  #wish(wish: Wish): void {
    const { screen } = this.#options
    const show = `To look: sallyport command show ${this.#id}`
    if (wish === 'cancel') {
      this.#cancelled = true
      this.#reports.push(this.#cancel())
      return
    }
    if (wish === 'detach') screen.notice(`The command goes on. ${show}`)
    else if (this.#cancelled) screen.notice(`It is being cancelled, which is not waited for. ${show}`)
    else screen.notice(`The command goes on. ${show}\nTo cancel: sallyport command cancel ${this.#id}`)
    this.#leave(INTERRUPTED)
  }

  async #cancel(): Promise<void> {
    const { client, screen } = this.#options
    screen.notice('Cancelling. Ctrl-C again does not wait for the nodes.')
    try {
      await client.call('ssm', 'CancelCommand', { CommandId: this.#id })
    } catch (error) {
      screen.notice(`sallyport: it cannot be cancelled: ${inertLines((error as Error).message)}`)
    }
  }

  #ask(shown: boolean): void {
    this.#asking = shown
    if (shown) this.#options.screen.ask(this.#question())
    else this.#draw()
  }

  #question(): string {
    const count = this.#invocations.unfinished
    const nodes = count === 1 ? 'one node' : `${count} nodes`
    const text = `Cancel the command on ${nodes}? [y]es / [d]etach / [c]ontinue `
    return text.slice(0, this.#options.screen.columns - 1)
  }

  #connection(lost: boolean): void {
    if (this.#lost === lost) return
    this.#lost = lost
    const { screen } = this.#options
    if (screen.live) this.#draw()
    else if (lost)
      screen.notice('sallyport: the server cannot be reached; trying again. The command goes on.')
  }

  #draw(): void {
    const { screen, now } = this.#options
    if (!screen.live) return
    const elapsed = now() - this.#begun
    if (this.#asking) screen.setStatus(this.#question())
    else if (elapsed >= QUIET_MS || this.#lost) screen.setStatus(this.#status(elapsed))
  }

  #status(elapsed: number): string {
    const { columns } = this.#options.screen
    const note = this.#lost ? 'server not reachable' : this.#cancelled ? 'cancelling' : ''
    const tally = this.#invocations.tally()
    const [only, ...others] = this.#invocations.all()
    if (only === undefined || others.length > 0) return progressLine(tally, elapsed, columns, note)
    const state =
      note || (tally.running > 0 ? 'running' : tally.waiting > 0 ? 'waiting for the node' : 'ended')
    return `${this.#invocations.label(only)}: ${state}, ${formatElapsed(elapsed)}`.slice(0, columns - 1)
  }

  #sink(): OutputSink | undefined {
    const { screen } = this.#options
    switch (this.#mode) {
      case 'plain':
        return plainSink(screen)
      case 'prefix':
        return prefixSink(screen, () => this.#invocations.labelWidth)
      case 'grouped':
        return groupedSink(screen)
      case 'json':
        return this.#collected
      case 'json-lines':
        return eventSink(event => this.#event(event))
      case 'none':
        return undefined
    }
  }

  #followOptions(sink: OutputSink) {
    const { client, screen, manySteps, command } = this.#options
    const live = !sink.alone && this.#mode !== 'json' && command.TargetCount <= MAX_LIVE
    return { client, commandId: this.#id, screen, persistence: this.#persistence, live, manySteps }
  }

  #event(event: object): void {
    if (this.#mode === 'json-lines') this.#options.screen.write('stdout', `${inertJson(event, 0)}\n`)
  }

  #red = (text: string) => (this.#options.screen.hasColours('stderr') ? `\x1b[31m${text}\x1b[0m` : text)
  #green = (text: string) => (this.#options.screen.hasColours('stderr') ? `\x1b[32m${text}\x1b[0m` : text)
}

const shownOf = ({ InstanceId, InstanceName, Status, StatusDetails, ResponseCode }: WatchedInvocation) => ({
  InstanceId,
  InstanceName,
  Status,
  StatusDetails,
  ResponseCode,
})

const exitCodeOf = (all: readonly WatchedInvocation[]): number => {
  if (all.every(({ Status }) => Status === 'Success')) return EXIT.ok
  const [only, ...others] = all
  const code = others.length === 0 ? (only?.ResponseCode ?? -1) : -1
  return only?.Status === 'Failed' && code > 0 && code <= 255 ? code : EXIT.failure
}

/** The command was sent all the same: whoever may not watch it still has to know which it is. */
const unwatchable = (error: unknown, commandId: string): unknown => {
  const { name, code, message } = Object(error) as { name?: string; code?: string; message?: string }
  if (name !== 'ApiError') return error
  const lost = String(code).startsWith('Connection')
  return new CliError(
    `${message} (${code})\nThe command was sent and goes on. To look: sallyport command show ${commandId}`,
    lost ? EXIT.connectionLost : EXIT.failure,
  )
}
