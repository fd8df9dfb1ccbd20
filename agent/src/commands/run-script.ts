import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants as os } from 'node:os'
import type { Readable } from 'node:stream'
import { sealedStdio } from '../pty/inherited-fds.ts'
import { inWords } from '../sessions/error-words.ts'
import { endProcesses } from '../sessions/process-tree.ts'
import { takePipes } from './output-pipes.ts'
import type { StepOutput, StreamName } from './step-output.ts'

/** How long programs may take to end after they were asked to. */
const GRACE = 3_000
/**
 * A background program that keeps the output open keeps AWS's agent waiting until the time-out. Here it may finish what it
 * has to say, and then the step is over.
 */
const LINGER = 10_000
/** After everything was killed: only what left the process tree can still hold the output. */
const LINGER_KILLED = 500

export type Program = { file: string; args: string[]; cwd: string | undefined; env: Record<string, string> }
export type ScriptEnd =
  | { kind: 'exited'; code: number }
  | { kind: 'timed-out' }
  | { kind: 'cancelled' }
  /** `why` in words. */
  | { kind: 'not-started'; why: string }
type Options = {
  signal: AbortSignal
  timeoutMs: number
  output: StepOutput
  lingerMs?: number
  /** For each of its processes. */
  memoryMiB?: number | undefined
}

/** In the environment of everything that a step starts, so that it is found again, wherever it went. */
const MARK = 'SALLYPORT_STEP'
/** Where memory is short, the kernel ends what a command started before the agent and its sessions (proc(5)). */
const FIRST_TO_GO = '{ echo 500 >/proc/self/oom_score_adj; } 2>/dev/null'

/**
 * Runs a program as the leader of a POSIX session without a terminal, its input at its end, and resolves when it has
 * ended and all of its output is written. On cancel and time-out everything that it started is ended.
 */
export async function runScript(program: Program, options: Options): Promise<ScriptEnd> {
  const { signal, timeoutMs, output, lingerMs = LINGER, memoryMiB } = options
  const mark = randomUUID()
  const started = await start({ ...prepared(program, memoryMiB), env: { ...program.env, [MARK]: mark } })
  if ('why' in started) return { kind: 'not-started', ...started }
  const { child, stdout, stderr, exited, giveBack } = started
  const copied = Promise.all([copy(stdout, 'stdout', output), copy(stderr, 'stderr', output)])
  void copied.then(ends => giveBack(ends.every(Boolean)))
  const done = exited.then(async code => {
    if (!(await within(copied, lingerMs))) await output.say('stderr', KEPT_OPEN)
    return { kind: 'exited', code } as const
  })
  const end = await Promise.race([done, ...interruptions(signal, timeoutMs, done)])
  if (end.kind !== 'exited') {
    await endProcesses(child.pid ?? 0, {
      ask: 'SIGTERM',
      graceMs: GRACE,
      detached: true,
      marked: `${MARK}=${mark}`,
    })
    await within(copied, LINGER_KILLED)
  }
  // What a program in the background still writes is read and dropped: a closed pipe would end it.
  for (const stream of [stdout, stderr]) (stream as Socket).unref()
  return end
}

const KEPT_OPEN =
  'The script has ended, but a program in the background keeps its output open. What that writes from now on is not kept.\n'

type Started = {
  child: ChildProcess
  stdout: Readable
  stderr: Readable
  exited: Promise<number>
  /** Of the pipes, once both streams are at their ends; false: not everything was read. */
  giveBack(emptied: boolean): void
}

async function start({ file, args, cwd, env }: Program): Promise<Started | { why: string }> {
  const pipes = await takePipes()
  try {
    const stdio = sealedStdio(['ignore', pipes?.stdout.theirs ?? 'pipe', pipes?.stderr.theirs ?? 'pipe'])
    const child = spawn(file, args, { ...(cwd !== undefined && { cwd }), env, stdio, detached: true })
    const failed = new Promise<Error>(resolve => child.once('error', resolve))
    const exited = new Promise<number>(resolve => {
      child.once('exit', (code, name) => resolve(name === null ? (code ?? 1) : 128 + os.signals[name]))
    })
    if (child.pid === undefined) throw await failed
    const stdout = pipes === undefined ? (child.stdout as Readable) : readingEnd(pipes.stdout.ours)
    const stderr = pipes === undefined ? (child.stderr as Readable) : readingEnd(pipes.stderr.ours)
    return { child, stdout, stderr, exited, giveBack: pipes?.giveBack ?? (() => {}) }
  } catch (error) {
    for (const fd of [pipes?.stdout.ours, pipes?.stderr.ours]) if (fd !== undefined) closeSync(fd)
    pipes?.giveBack(true)
    return { why: inWords(error) }
  } finally {
    for (const fd of [pipes?.stdout.theirs, pipes?.stderr.theirs]) if (fd !== undefined) closeSync(fd)
  }
}

/** By a shell that becomes the program: what it does to itself holds for all that comes of it. */
function prepared({ file, args, ...program }: Program, memoryMiB: number | undefined): Program {
  const limit = memoryMiB === undefined ? '' : `ulimit -v ${memoryMiB * 1024}; `
  return {
    ...program,
    file: '/bin/sh',
    args: ['-c', `${FIRST_TO_GO}; ${limit}exec "$@"`, 'sh', file, ...args],
  }
}

function readingEnd(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: false })
}

/** To the end, or false. One chunk at a time: a program that writes faster than the disk waits. */
async function copy(stream: Readable, name: StreamName, output: StepOutput): Promise<boolean> {
  try {
    for await (const chunk of stream) await output.write(name, chunk)
    return true
  } catch {
    // Reading a pipe fails only when it is gone.
    return false
  }
}

function interruptions(signal: AbortSignal, timeoutMs: number, done: Promise<unknown>): Promise<ScriptEnd>[] {
  let timer: NodeJS.Timeout | undefined
  const timedOut = new Promise<ScriptEnd>(resolve => {
    timer = setTimeout(() => resolve({ kind: 'timed-out' }), timeoutMs)
  })
  let cancel: (() => void) | undefined
  const cancelled = new Promise<ScriptEnd>(resolve => {
    cancel = () => resolve({ kind: 'cancelled' })
    if (signal.aborted) cancel()
    else signal.addEventListener('abort', cancel, { once: true })
  })
  void done.finally(() => {
    clearTimeout(timer)
    if (cancel !== undefined) signal.removeEventListener('abort', cancel)
  })
  return [cancelled, timedOut]
}

async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>(resolve => {
    timer = setTimeout(() => resolve(false), ms)
  })
  const inTime = await Promise.race([promise.then(() => true), late])
  clearTimeout(timer)
  return inTime
}
