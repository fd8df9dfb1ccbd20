import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants as os } from 'node:os'
import { sealedStdio } from '../../pty/inherited-fds.ts'
import { type ProgramOutput, programOutput } from '../../pty/program-output.ts'
import { inWords } from '../error-words.ts'
import type { LoginShell } from '../login-shell.ts'
import type { Pipes } from './pipes.ts'

/** pipe(7): what fcntl F_SETPIPE_SZ gives an ordinary user (/proc/sys/fs/pipe-max-size). */
const LAST_OUTPUT_LIMIT = 1024 * 1024
/** execve(2), MAX_ARG_STRLEN: of one argument, with the zero byte behind it. */
const LONGEST_ARGUMENT = 128 * 1024

export type CommandProcess = {
  /** Also of its process group and POSIX session. */
  pid: number
  stdout: ProgramOutput
  /** Absent when it goes to stdout. */
  stderr: ProgramOutput | undefined
  /** The exit status as a shell has it. Output may still be unread. */
  exited: Promise<number>
}

export type CommandStreams = {
  pipes: Pipes
  /** Without it the command's input is at its end from the start. */
  withInput: boolean
  separate: boolean
}

/** Why the system did not start it, in words. All pipes are closed. */
export type NotStarted = { refusal: Promise<string> }

/** Starts a program as the leader of a new POSIX session without a terminal. */
export function startCommand(program: LoginShell, streams: CommandStreams): CommandProcess | NotStarted {
  const { pipes, withInput, separate } = streams
  const { stdin, stdout, stderr } = pipes
  const ours = [stdout.ours, ...(withInput ? [stdin.ours] : []), ...(separate ? [stderr.ours] : [])]
  const unused = [stdin.theirs, stdout.theirs, stderr.theirs]
  if (!withInput) unused.push(stdin.ours)
  if (!separate) unused.push(stderr.ours)
  try {
    const child = spawnCommand(program, streams)
    const exited = exitOf(child)
    if (child.pid === undefined) {
      unused.push(...ours)
      const refusal = new Promise<Error>(resolve => child.once('error', resolve))
      return { refusal: refusal.then(error => reasonOf(error, program)) }
    }
    return {
      pid: child.pid,
      stdout: outputOf(stdout.ours),
      stderr: separate ? outputOf(stderr.ours) : undefined,
      exited,
    }
  } catch (error) {
    unused.push(...ours)
    return { refusal: Promise.resolve(reasonOf(error, program)) }
  } finally {
    for (const fd of unused) closeSync(fd)
  }
}

/** Some errors are thrown, others are an event of a process that has no pid. */
function spawnCommand({ file, args, cwd, env }: LoginShell, streams: CommandStreams): ChildProcess {
  const { pipes, withInput, separate } = streams
  const stdin = withInput ? pipes.stdin.theirs : 'ignore'
  const stdout = pipes.stdout.theirs
  const stderr = separate ? pipes.stderr.theirs : stdout
  return spawn(file, args, { cwd, env, detached: true, stdio: sealedStdio([stdin, stdout, stderr]) })
}

function reasonOf(error: unknown, { args }: LoginShell): string {
  const tooLong = args.some(argument => Buffer.byteLength(argument) >= LONGEST_ARGUMENT)
  if ((error as NodeJS.ErrnoException).code !== 'E2BIG' || !tooLong) return inWords(error)
  return `an argument is longer than the system takes (${LONGEST_ARGUMENT / 1024} KiB)`
}

function exitOf(child: ChildProcess): Promise<number> {
  // Told by the missing pid; the event must not count as unhandled.
  child.on('error', () => undefined)
  return new Promise(resolve => {
    child.once('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : 128 + os.signals[signal]))
  })
}

function outputOf(fd: number): ProgramOutput {
  const stream = new Socket({ fd, readable: true, writable: false })
  return programOutput({ fd, stream, lastOutputLimit: LAST_OUTPUT_LIMIT })
}
