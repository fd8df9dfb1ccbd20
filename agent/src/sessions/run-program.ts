import { spawn } from 'node:child_process'
import { sealedStdio } from '../pty/inherited-fds.ts'

/** `exitCode` 127 when the program does not exist, as a shell has it; `output` is stdout, `problem` stderr. */
export type RunResult = { exitCode: number; output: string; problem: string }

/** Runs a system program by name and waits for its end. Injected wherever tests must not touch the host. */
export type Run = (command: string, args: readonly string[]) => Promise<RunResult>

// Fixed, never the environment of a session (security-cases.md 40): LD_PRELOAD, BASH_ENV or a PATH with the user's own
// directory would run the user's code as root. C locale, because messages are shown and compared.
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }
const TIMEOUT_MS = 60_000
const OUTPUT_LIMIT = 64 * 1024

const collect = (stream: NodeJS.ReadableStream | null): (() => string) => {
  let text = ''
  stream?.on('data', chunk => {
    if (text.length < OUTPUT_LIMIT) text += chunk
  })
  return () => text
}

/** The `Run` of a real host. Never rejects because of the program; gives it 60 s. */
export const runProgram: Run = (command, args) =>
  new Promise(resolve => {
    const child = spawn(command, args, {
      cwd: '/',
      env: ENVIRONMENT,
      stdio: sealedStdio(['ignore', 'pipe', 'pipe']),
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    })
    const output = collect(child.stdout)
    const problem = collect(child.stderr)
    child.once('error', error => {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
      resolve({ exitCode: missing ? 127 : 126, output: '', problem: error.message })
    })
    child.once('close', (code, signal) => {
      const ended = signal === null ? '' : `ended by ${signal}`
      resolve({ exitCode: code ?? 128, output: output(), problem: problem() || ended })
    })
  })
