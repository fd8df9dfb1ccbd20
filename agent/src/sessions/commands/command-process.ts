import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants as os } from 'node:os'
import { sealedStdio } from '../../pty/inherited-fds.ts'
import { type ProgramOutput, programOutput } from '../../pty/program-output.ts'
import type { LoginShell } from '../login-shell.ts'
import type { Pipes } from './pipes.ts'

/** pipe(7): what fcntl F_SETPIPE_SZ gives an ordinary user (/proc/sys/fs/pipe-max-size). */
const LAST_OUTPUT_LIMIT = 1024 * 1024

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

/** Starts a program as the leader of a new POSIX session without a terminal. Throws, and closes all pipes, if it cannot. */
export function startCommand(program: LoginShell, streams: CommandStreams): CommandProcess {
  const { pipes, withInput, separate } = streams
  const { stdin, stdout, stderr } = pipes
  const unused = [stdin.theirs, stdout.theirs, stderr.theirs]
  if (!withInput) unused.push(stdin.ours)
  if (!separate) unused.push(stderr.ours)
  try {
    const { file, args, cwd, env } = program
    const child = spawn(file, args, {
      cwd,
      env,
      detached: true,
      stdio: sealedStdio([
        withInput ? stdin.theirs : 'ignore',
        stdout.theirs,
        separate ? stderr.theirs : stdout.theirs,
      ]),
    })
    const exited = exitOf(child)
    if (child.pid === undefined) throw new Error(`Unable to start the command: ${file} cannot be run.`)
    return {
      pid: child.pid,
      stdout: outputOf(stdout.ours),
      stderr: separate ? outputOf(stderr.ours) : undefined,
      exited,
    }
  } catch (error) {
    unused.push(stdout.ours, ...(withInput ? [stdin.ours] : []), ...(separate ? [stderr.ours] : []))
    throw error
  } finally {
    for (const fd of unused) closeSync(fd)
  }
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
