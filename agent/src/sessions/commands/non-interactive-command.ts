import { utf8 } from '@sallyport/protocol/bytes'
import { TaskStatus } from '@sallyport/protocol/control-channel'
import { SessionType } from '@sallyport/protocol/handshake'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { decodeFlag, encodeExitCode, encodeFlag } from '@sallyport/protocol/payloads'
import { type Account, accountOf } from '../account.ts'
import type { Activity, ActivityContext, Peer, SessionDocument } from '../activity.ts'
import type { LoginShell } from '../login-shell.ts'
import { endProcesses } from '../process-tree.ts'
import { CommandInput } from './command-input.ts'
import { type CommandOutput, commandOutputs } from './command-output.ts'
import { type CommandProcess, startCommand } from './command-process.ts'
import { type CommandProperties, commandProperties } from './command-properties.ts'
import { findProgram } from './find-program.ts'
import { closePipes, givePipes, openPipes, type Pipes } from './pipes.ts'
import { shellWords } from './shell-words.ts'

/** As a shell has them (POSIX XCU 2.8.2). */
const NOT_FOUND = 127
const NOT_EXECUTABLE = 126

const SIGNALS = new Map<number, NodeJS.Signals>([
  [PayloadFlag.interrupt, 'SIGINT'],
  [PayloadFlag.quit, 'SIGQUIT'],
  [PayloadFlag.terminate, 'SIGTERM'],
  [PayloadFlag.hangUp, 'SIGHUP'],
])
/** What a stock client's keys do: the first of these bytes in its input (data-plane.md 14.3). */
const KEYS = new Map<number, NodeJS.Signals>([
  [0x03, 'SIGINT'],
  [0x1c, 'SIGQUIT'],
])

/**
 * `NonInteractiveCommands`: one program without a shell and without a terminal (data-plane.md 14.3). Our own client
 * streams input into it, gets both output streams apart, live, and always the exit status.
 *
 * The session is over when the program has ended, with all that was written until then. A background child that keeps
 * the streams open is not waited for (ssh would wait, for ever perhaps) and ends with the session.
 */
export class NonInteractiveCommand implements Activity {
  readonly sessionType = SessionType.nonInteractiveCommands
  readonly properties = null
  readonly #context: ActivityContext
  readonly #properties: CommandProperties
  readonly #words: string[]
  readonly #account: Promise<Account>
  readonly #input: CommandInput
  readonly #pipes: Promise<Pipes>
  #pipesUsed = false
  #ownClient = false
  #process: CommandProcess | undefined
  #outputs: CommandOutput[] = []
  #processesEnded: Promise<void> | undefined
  /** Asked for before the program ran. */
  #earlySignal: NodeJS.Signals | undefined
  #exited = false
  #stopped = false

  constructor(document: SessionDocument, context: ActivityContext) {
    this.#context = context
    this.#properties = commandProperties(this.sessionType, document.properties)
    this.#words = shellWords(this.#properties.commands)
    if (!this.#words[0]) throw new Error(`Commands cannot be empty for session type ${this.sessionType}`)
    this.#account = accountOf(document, context, this.#properties.runAsElevated)
    // Made while the handshake is under way, like the account.
    this.#pipes = openPipes()
    // `#run` is where a failure is told; it must not count as unhandled until then.
    this.#account.catch(() => {})
    this.#pipes.catch(() => {})
    this.#input = new CommandInput(() => {
      context.channel.sendWhole(PayloadType.flag, encodeFlag(PayloadFlag.inputRoom))
    })
  }

  start(peer: Peer): void {
    this.#ownClient = peer.ownClient
    this.#run().catch((error: unknown) => {
      this.#context.onEnd(TaskStatus.failed, error instanceof Error ? error.message : String(error))
    })
  }

  deliver(payloadType: number, payload: Uint8Array): boolean {
    if (payloadType === PayloadType.flag) this.#flag(decodeFlag(payload))
    else if (payloadType === PayloadType.output) this.#received(payload)
    return true
  }

  onWritable(): void {
    for (const output of this.#outputs) output.resume()
  }

  async stop(): Promise<void> {
    if (!this.#stopped && !this.#pipesUsed) void this.#pipes.then(closePipes, () => {})
    this.#stopped = true
    this.#input.close()
    await this.#endProcesses()
    for (const output of this.#outputs) output.destroy()
  }

  async #run(): Promise<void> {
    const { user, start } = await this.#account
    const program = start({ program: this.#words, terminal: false })
    const problem = this.#problem(program)
    if (problem !== undefined) {
      this.#cannotRun(problem.text, problem.exitCode)
      return
    }
    const pipes = await this.#pipes
    if (this.#stopped) return
    if (this.#context.asRoot) givePipes(pipes, user)
    this.#pipesUsed = true
    const separate = this.#separate
    // A stock client's input is keys, not data: the command finds no input at all.
    const command = startCommand(program, { pipes, withInput: this.#ownClient, separate })
    if ('refusal' in command) {
      this.#cannotRun(`${this.#words[0]}: cannot be executed: ${await command.refusal}`, NOT_EXECUTABLE)
      return
    }
    this.#process = command
    const { stdOutSeparatorPrefix: stdout, stdErrSeparatorPrefix: stderr } = this.#properties
    this.#outputs = commandOutputs(this.#context.channel, command, { stdout, stderr })
    if (this.#ownClient) this.#input.attach(pipes.stdin.ours)
    if (this.#earlySignal !== undefined) this.#signal(this.#earlySignal)
    await this.#ended(await command.exited)
  }

  get #separate(): boolean {
    return this.#ownClient || this.#properties.separateOutputStream
  }

  #problem({ env, cwd }: LoginShell): { text: string; exitCode: number } | undefined {
    const [name = ''] = this.#words
    const found = findProgram(name, env.PATH ?? '', cwd)
    if (found === 'found') return undefined
    if (found === 'missing') return { text: `${name}: command not found`, exitCode: NOT_FOUND }
    return { text: `${name}: cannot be executed`, exitCode: NOT_EXECUTABLE }
  }

  /** To our own client that is a result like any other; a stock one learns it as the end of its session. */
  #cannotRun(text: string, exitCode: number): void {
    const { channel, onEnd } = this.#context
    channel.send(PayloadType.stderr, utf8(`${text}\n`))
    if (this.#separate) channel.sendWhole(PayloadType.exitCode, encodeExitCode(exitCode))
    if (this.#ownClient) onEnd(TaskStatus.success, '')
    else onEnd(TaskStatus.failed, text)
  }

  async #ended(exitCode: number): Promise<void> {
    this.#exited = true
    this.#input.close()
    const delivered = Promise.all(this.#outputs.map(output => output.finish()))
    // Not first when the session is over, which may be long: the number could be another process's by then.
    void this.#endProcesses()
    await delivered
    if (this.#stopped) return
    const { channel, onEnd } = this.#context
    if (this.#separate) channel.sendWhole(PayloadType.exitCode, encodeExitCode(exitCode))
    onEnd(TaskStatus.success, '')
  }

  #endProcesses(): Promise<void> {
    if (this.#process === undefined) return Promise.resolve()
    this.#processesEnded ??= endProcesses(this.#process.pid, { detached: true })
    return this.#processesEnded
  }

  #received(payload: Uint8Array): void {
    if (this.#ownClient) {
      if (this.#input.write(payload)) return
      const reason = 'The client sent more input than it was asked for.'
      // It may well acknowledge nothing either.
      this.#context.onEnd(TaskStatus.failed, reason, 'unheard')
      return
    }
    const key = payload.find(byte => KEYS.has(byte))
    const signal = key === undefined ? undefined : KEYS.get(key)
    if (signal !== undefined) this.#signal(signal)
  }

  #flag(flag: number): void {
    const signal = SIGNALS.get(flag)
    if (signal !== undefined) this.#signal(signal)
    else if (flag === PayloadFlag.endOfInput) this.#input.end()
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#process === undefined) this.#earlySignal = signal
    if (this.#process === undefined || this.#exited) return
    try {
      process.kill(-this.#process.pid, signal)
    } catch {
      // ESRCH: it has ended this moment. EPERM: a set-user-id program under an agent that is not root.
    }
  }
}
