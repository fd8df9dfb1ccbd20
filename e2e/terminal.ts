/**
 * Programs for end-to-end tests: on a real terminal (`openTerminal`) or as a plain child process (`run`).
 *
 * Two traps of node-pty 1.1 on Node 20 are met here, and one is left to the tests:
 * - A program's last bytes get lost when its end hangs the terminal up while they are still to be read. So this side
 *   holds the terminal's other end (the slave) open; node-pty then reads on for 200 ms after the end. What is written
 *   later than that, or while the event loop is blocked for as long, is lost: wait for a marker, then for `exited`.
 * - `write` of @lydell/node-pty blocks the whole process once the program reads slower than we write, so `send` writes
 *   to the descriptor itself, which never blocks, and tries again as the program reads.
 * - In canonical mode ("cooked", as `cat` has it) the kernel keeps 4,095 bytes of one line and drops the rest of it.
 */
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { closeSync, constants, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import os from 'node:os'
import type { ReadStream } from 'node:tty'
import { spawn as spawnOnPty } from '@lydell/node-pty'

/** Merged over this process's environment; `undefined` removes a variable. */
export type Environment = Record<string, string | undefined>

/** As in `node:child_process`: exactly one of the two is null. */
export type Exit = { exitCode: number | null; signal: string | null }

export type TerminalOptions = {
  file: string
  args?: readonly string[]
  env?: Environment
  cwd?: string
  /** 80 columns, 24 rows unless said. */
  cols?: number
  rows?: number
}

export type RunOptions = { env?: Environment; cwd?: string; input?: string | Uint8Array; timeoutMs?: number }
export type RunResult = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }

const DEFAULT_TIMEOUT_MS = 20_000
const SHOWN_CHARACTERS = 2_000
const CHUNK_BYTES = 4_096
const RETRY_MS = 5
const MAXIMUM_OUTPUT_BYTES = 256 * 1024 * 1024
/** Set by a terminal or multiplexer around the tests, and wrong inside the one opened here. */
const OUTER_TERMINAL = ['TMUX', 'TMUX_PANE', 'STY', 'WINDOW', 'WINDOWID', 'TERMCAP', 'COLUMNS', 'LINES']

/** What @lydell/node-pty 1.1.0 has on Unix and does not declare. */
type UnixPty = { readonly fd: number; readonly ptsName: string; readonly _socket: ReadStream }

/** Starts a program as the leader of a session on a new terminal. A file that is not there exits with 1. */
export function openTerminal(options: TerminalOptions): TestTerminal {
  return new TestTerminal(options)
}

export class TestTerminal implements AsyncDisposable {
  /** Resolves when the program has ended and its output has been read. */
  readonly exited: Promise<Exit>
  readonly pid: number
  /** Of the terminal, such as /dev/pts/3: `stty -F` of it answers its modes. */
  readonly device: string
  readonly #pty
  readonly #unix: UnixPty
  readonly #changes = new EventEmitter()
  readonly #chunks: Buffer[] = []
  readonly #decoder = new TextDecoder()
  #text = ''
  #length = 0
  #consumed = 0
  #exit: Exit | undefined
  #sending: Promise<void> = Promise.resolve()

  constructor({ file, args = [], env = {}, cwd = process.cwd(), cols = 80, rows = 24 }: TerminalOptions) {
    const outer = Object.fromEntries(OUTER_TERMINAL.map(name => [name, undefined]))
    this.#pty = spawnOnPty(file, [...args], {
      name: 'xterm-256color',
      env: environment({ ...outer, TERM: 'xterm-256color', ...env }),
      cwd,
      cols,
      rows,
      encoding: null,
    })
    this.#unix = this.#pty as unknown as UnixPty
    this.pid = this.#pty.pid
    this.device = this.#unix.ptsName
    const slave = openSync(this.#unix.ptsName, constants.O_RDWR | constants.O_NOCTTY)
    this.#changes.setMaxListeners(0)
    this.#pty.onData(data => this.#receive(data as unknown as Buffer))
    this.exited = new Promise(resolve => {
      this.#pty.onExit(({ exitCode, signal }) => {
        closeSync(slave)
        this.#exit = signal ? { exitCode: null, signal: signalName(signal) } : { exitCode, signal: null }
        resolve(this.#exit)
        this.#changes.emit('change')
      })
    })
  }

  /**
   * Waits until `pattern` matches the output behind the previous match, and consumes it up to the end of the match.
   * Rejects at the timeout, or at once when the program ends without a match, showing the end of the output.
   */
  async waitFor(
    pattern: RegExp | string,
    { timeoutMs = DEFAULT_TIMEOUT_MS }: { timeoutMs?: number } = {},
  ): Promise<RegExpMatchArray> {
    const expression = matcher(pattern)
    const timeout = AbortSignal.timeout(timeoutMs)
    for (;;) {
      const match = expression.exec(this.#text.slice(this.#consumed))
      if (match) {
        this.#consumed += match.index + match[0].length
        return match
      }
      if (this.#exit) throw this.#missing(pattern, `the program ended (${JSON.stringify(this.#exit)})`)
      if (timeout.aborted) throw this.#missing(pattern, `${timeoutMs} ms passed`)
      await once(this.#changes, 'change', { signal: timeout }).catch(() => undefined)
    }
  }

  /**
   * Waits until there are `length` bytes of output in all. For much of it: `waitFor` would search megabytes again
   * with every piece that comes.
   */
  async waitForBytes(length: number, { timeoutMs = DEFAULT_TIMEOUT_MS } = {}): Promise<void> {
    const timeout = AbortSignal.timeout(timeoutMs)
    while (this.#length < length) {
      if (this.#exit || timeout.aborted) {
        throw this.#missing(`${length} bytes`, `only ${this.#length} came`)
      }
      await once(this.#changes, 'change', { signal: timeout }).catch(() => undefined)
    }
  }

  /** Types `data`, after what was sent before. Resolves when the terminal has taken it; rejects when it is gone. */
  send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
    const sent = this.#sending.then(() => this.#write(bytes))
    this.#sending = sent.catch(() => undefined)
    return sent
  }

  /** Everything the program has written so far, as text. */
  output(): string {
    return this.#text
  }

  /** Everything the program has written so far, to the byte. */
  bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  resize(cols: number, rows: number): void {
    if (this.#unix._socket.destroyed) throw new Error('cannot resize: the program has ended')
    this.#pty.resize(cols, rows)
  }

  /** Signals the program itself; `SIGHUP` is what closing a terminal's window sends. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    if (!this.#exit) process.kill(this.pid, signal)
  }

  /** Kills everything that still runs in the terminal's session, background jobs too, and waits for the program. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of sessionMembers(this.pid)) killQuietly(pid)
    await this.exited
  }

  #receive(data: Buffer): void {
    this.#chunks.push(data)
    this.#length += data.length
    this.#text += this.#decoder.decode(data, { stream: true })
    if (this.#text.length > MAXIMUM_OUTPUT_BYTES) killQuietly(-this.pid)
    this.#changes.emit('change')
  }

  async #write(bytes: Uint8Array): Promise<void> {
    let offset = 0
    while (offset < bytes.length) {
      // Once the stream is destroyed its descriptor may already be another file's.
      if (this.#unix._socket.destroyed) throw new Error('cannot send: the program has ended')
      const end = Math.min(offset + CHUNK_BYTES, bytes.length)
      const written = writeSome(this.#unix.fd, bytes.subarray(offset, end))
      offset += written
      // Its echo has to be read meanwhile, or the terminal fills up in both directions.
      await new Promise(resolve => (written > 0 ? setImmediate(resolve) : setTimeout(resolve, RETRY_MS)))
    }
  }

  #missing(pattern: RegExp | string, reason: string): Error {
    const tail = this.#text.slice(-SHOWN_CHARACTERS)
    const unread = this.#text.length - this.#consumed
    return new Error(
      `no ${String(pattern)} in the terminal: ${reason}, ${unread} characters unread. It ends:\n${tail}`,
    )
  }
}

/**
 * Runs a program to its end, in its own process group, without a terminal. Rejects when it cannot be started, or after
 * `timeoutMs` (20 s unless said) with the end of its output; the whole group is killed then. An exit code other than
 * 0 does not reject.
 */
export async function run(
  file: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const { env = {}, input, cwd = process.cwd(), timeoutMs = DEFAULT_TIMEOUT_MS } = options
  const child = spawn(file, args, { env: environment(env), cwd, detached: true, stdio: 'pipe' })
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  let size = 0
  let stopped: string | undefined
  const stop = (reason: string) => {
    stopped ??= reason
    if (child.pid !== undefined) killQuietly(-child.pid)
  }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      output[name].push(chunk)
      size += chunk.length
      if (size > MAXIMUM_OUTPUT_BYTES) stop(`wrote more than ${MAXIMUM_OUTPUT_BYTES} bytes`)
    })
  }
  // A program that does not read its input to the end is not at fault.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)

  const timer = setTimeout(() => stop(`did not end within ${timeoutMs} ms`), timeoutMs)
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    const [stdout, stderr] = [text(output.stdout), text(output.stderr)]
    if (stopped === undefined) return { code, signal, stdout, stderr }
    const tail = `${stdout.slice(-SHOWN_CHARACTERS)}\n${stderr.slice(-SHOWN_CHARACTERS)}`
    throw new Error(`${[file, ...args].join(' ')} ${stopped}. Its output ends:\n${tail}`)
  } finally {
    clearTimeout(timer)
  }
}

function text(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8')
}

function environment(changes: Environment): Record<string, string> {
  const merged = Object.entries({ ...process.env, ...changes })
  return Object.fromEntries(merged.filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** `g` and `y` would make `exec` depend on where the last search ended. */
function matcher(pattern: RegExp | string): RegExp {
  if (typeof pattern === 'string') return new RegExp(pattern.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''))
}

/** Writes what fits without blocking; 0 when nothing does. */
function writeSome(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
    throw error
  }
}

/**
 * The ids of the processes of a session that run. proc(5): in /proc/<pid>/stat state, ppid, pgrp and session follow
 * the name; one that has ended and that nobody has asked after is in state Z.
 */
export function sessionMembers(session: number): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(name => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        const [state, , , leader] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return leader === String(session) && state !== 'Z'
      } catch {
        return false
      }
    })
    .map(Number)
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function signalName(number: number): string {
  const names = Object.entries(os.constants.signals)
  return names.find(([, value]) => value === number)?.[0] ?? `signal ${number}`
}

/** Whether a process runs; one that has ended and that nobody has asked after (state Z) does not. */
export function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
