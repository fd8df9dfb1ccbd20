import { spawnSync } from 'node:child_process'
import { RemoteModes } from './modes.ts'

export type TerminalSize = { cols: number; rows: number }

/** The person's side of a session: their terminal, or the pipes a script has put in its place. */
export type Terminal = {
  /** Whether stdin is a terminal. If not, input is streamed to its end and keys have no special meaning. */
  readonly interactive: boolean
  /** In character cells; 80x24 when nothing here is a terminal. */
  size(): TerminalSize
  /** Called as soon as the window has changed (SIGWINCH), not polled. */
  onSize(listener: (size: TerminalSize) => void): void
  /** The first listener starts the reading of stdin. Raw bytes, Ctrl-C and the like included, once raw. */
  onInput(listener: (bytes: Uint8Array) => void): void
  onInputEnd(listener: () => void): void
  /** Output of the node, to stdout. False: wait for `onDrain` before writing more. */
  write(bytes: Uint8Array): boolean
  onDrain(listener: () => void): void
  /** Stdout can take no more, for example because the reader of the pipe has gone (EPIPE). */
  onOutputError(listener: (error: Error) => void): void
  pauseInput(): void
  resumeInput(): void
  /** A line for the person, to stderr: stdout carries bytes of the node only. */
  notice(text: string): void
  /** Sends every key as it is. Does nothing when not interactive. Undone on every way out of the process. */
  enterRaw(): void
  /** Gives the terminal back as it was. May be called any number of times, and before `enterRaw`. */
  restore(): void
  /** Stops this program as Ctrl-Z would, with the terminal restored, and is raw again after `fg`. */
  suspend(): void
}

type Input = {
  isTTY?: boolean
  setRawMode?(raw: boolean): unknown
  on(event: 'data', listener: (bytes: Uint8Array) => void): unknown
  on(event: 'end' | 'close' | 'error', listener: () => void): unknown
  pause(): unknown
  resume(): unknown
}

type Output = {
  isTTY?: boolean
  columns?: number
  rows?: number
  write(data: Uint8Array | string): boolean
  on(event: 'drain' | 'resize', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

export type TerminalOptions = {
  stdin?: Input
  stdout?: Output
  stderr?: Output
  process?: Pick<NodeJS.Process, 'on' | 'off' | 'kill' | 'pid' | 'listenerCount'>
  /**
   * What `suspend` sends to the whole foreground job. SIGSTOP for a program whose parent ignores SIGTSTP, as the aws
   * CLI does while the plugin runs (data-plane.md 18.1): the shell gets its prompt back only when every process stops.
   */
  suspendSignal?: 'SIGTSTP' | 'SIGSTOP'
  /** Which of several sessions of one program its lines are about. */
  label?: string
  /** Stops the terminal from rewriting output. */
  disableOutputProcessing?: () => void
}

const LINE_FEED = 0x0a
const FALLBACK_SIZE: TerminalSize = { cols: 80, rows: 24 }
const FATAL_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

/** How long a stop that nobody carried out (an orphaned job cannot be stopped) leaves the terminal unraw. */
const SUSPEND_GRACE_MS = 100

/**
 * Node's raw mode keeps OPOST and ONLCR, which turns the bare line feed that curses programs use for "one line
 * down" into "start of the next line" (cud1 in terminfo). There is no call for it in Node, hence stty(1).
 */
const sttyRawOutput = () => {
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] })
}

export const openTerminal = (options: TerminalOptions = {}): Terminal => new StandardStreams(options)

class StandardStreams implements Terminal {
  readonly interactive: boolean
  readonly #stdin: Input
  readonly #stdout: Output
  readonly #stderr: Output
  readonly #process: NonNullable<TerminalOptions['process']>
  readonly #suspendSignal: 'SIGTSTP' | 'SIGSTOP'
  readonly #disableOutputProcessing: () => void
  readonly #modes = new RemoteModes()
  readonly #label: string
  #raw = false
  /** The node's last output has left the cursor behind a prompt, or whatever it was. */
  #midLine = false

  constructor(options: TerminalOptions) {
    this.#stdin = options.stdin ?? process.stdin
    this.#stdout = options.stdout ?? process.stdout
    this.#stderr = options.stderr ?? process.stderr
    this.#process = options.process ?? process
    this.#suspendSignal = options.suspendSignal ?? 'SIGTSTP'
    this.#label = options.label === undefined ? '' : `${options.label}: `
    this.#disableOutputProcessing = options.disableOutputProcessing ?? sttyRawOutput
    this.interactive = this.#stdin.isTTY === true
  }

  size(): TerminalSize {
    // With stdout in a pipe (`connect web-1 | tee log`) the window is still the one that stderr shows.
    const window = [this.#stdout, this.#stderr].find(output => output.isTTY && output.columns)
    if (window?.columns === undefined || window.rows === undefined) return FALLBACK_SIZE
    return { cols: window.columns, rows: window.rows }
  }

  onSize(listener: (size: TerminalSize) => void): void {
    const window = [this.#stdout, this.#stderr].find(output => output.isTTY)
    window?.on('resize', () => listener(this.size()))
  }

  onInput(listener: (bytes: Uint8Array) => void): void {
    this.#stdin.on('data', listener)
  }

  onInputEnd(listener: () => void): void {
    let ended = false
    const end = () => {
      if (!ended) listener()
      ended = true
    }
    this.#stdin.on('end', end)
    // A terminal that is taken away reports EIO, not an end.
    this.#stdin.on('error', end)
    this.#stdin.on('close', end)
  }

  write(bytes: Uint8Array): boolean {
    if (this.#stdout.isTTY) {
      this.#modes.observe(bytes)
      this.#midLine = bytes.at(-1) !== LINE_FEED
    }
    return this.#stdout.write(bytes)
  }

  onDrain(listener: () => void): void {
    this.#stdout.on('drain', listener)
  }

  onOutputError(listener: (error: Error) => void): void {
    this.#stdout.on('error', listener)
  }

  pauseInput(): void {
    this.#stdin.pause()
  }

  resumeInput(): void {
    this.#stdin.resume()
  }

  notice(text: string): void {
    const line = this.#label + text
    const fresh = this.#midLine && this.#stderr.isTTY ? '\n' : ''
    this.#midLine = false
    // Raw, a line feed does not return the carriage, and the cursor may be anywhere in the node's line.
    this.#stderr.write(this.#raw ? `\r\n${line.replace(/\r?\n/g, '\r\n')}\r\n` : `${fresh}${line}\n`)
  }

  enterRaw(): void {
    if (!this.interactive || this.#raw) return
    this.#raw = true
    this.#process.on('exit', this.#onExit)
    // Comes before the stack trace is printed, which only a restored terminal shows legibly.
    this.#process.on('uncaughtExceptionMonitor', this.#onExit)
    for (const signal of FATAL_SIGNALS) this.#process.on(signal, this.#onFatalSignal)
    this.#process.on('SIGCONT', this.#onContinue)
    this.#setRaw()
  }

  restore(): void {
    if (!this.#raw) return
    this.#raw = false
    this.#process.off('exit', this.#onExit)
    this.#process.off('uncaughtExceptionMonitor', this.#onExit)
    for (const signal of FATAL_SIGNALS) this.#process.off(signal, this.#onFatalSignal)
    this.#process.off('SIGCONT', this.#onContinue)
    this.#setCooked()
    this.#stdin.pause()
  }

  suspend(): void {
    if (!this.#raw) return
    this.#setCooked()
    // Adding and removing a listener sets the default action again: a parent may have left the signal ignored.
    this.#process.on('SIGTSTP', ignore)
    this.#process.off('SIGTSTP', ignore)
    this.#process.kill(0, this.#suspendSignal)
    setTimeout(this.#onContinue, SUSPEND_GRACE_MS).unref()
  }

  #setRaw(): void {
    this.#stdin.setRawMode?.(true)
    this.#disableOutputProcessing()
  }

  #setCooked(): void {
    const reset = this.#modes.reset()
    if (reset !== '') this.#stdout.write(reset)
    this.#stdin.setRawMode?.(false)
  }

  readonly #onExit = () => this.restore()

  readonly #onFatalSignal = (signal: NodeJS.Signals) => {
    this.restore()
    // Whoever else listens decides how the program ends; otherwise the signal does what it does by default.
    if (this.#process.listenerCount(signal) === 0) this.#process.kill(this.#process.pid, signal)
  }

  /** Also after a stop from outside (`kill -STOP`): the shell has set its own modes meanwhile. */
  readonly #onContinue = () => {
    if (!this.#raw) return
    // Node takes "raw" for a no-op while it believes that the terminal is raw.
    this.#stdin.setRawMode?.(false)
    this.#setRaw()
    // A stopped job is told of no window change.
    this.#process.kill(this.#process.pid, 'SIGWINCH')
  }
}

const ignore = () => {}
