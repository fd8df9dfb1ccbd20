import { spawn } from 'node:child_process'
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  openSync,
} from 'node:fs'
import { constants as os } from 'node:os'
import { sealedStdio } from './inherited-fds.ts'
import { nativePty, spawnHelperPath } from './native.ts'

export type PtyOptions = {
  /** Absolute path, or a name looked up in the PATH of `env`. */
  file: string
  args: string[]
  /** The whole environment of the program; nothing is added. */
  env: Record<string, string>
  cwd: string
  cols: number
  rows: number
  /** Who owns the terminal device. Without it the device stays with the agent's user. */
  owner?: { uid: number; gid: number }
}

export type PtyExit = { exitCode: number; signal?: number }

/** A program on a new terminal. `slave` stays open so that the exit raises no hang-up while output is unread. */
export type Started = {
  pid: number
  master: number
  slave: number
  exited: Promise<PtyExit>
  hangUp(): void
}

// As a shell reports it ($?): without this a killed program would look like a success.
const exitOf = (code: number | null, signal: number): PtyExit =>
  signal > 0 ? { exitCode: 128 + signal, signal } : { exitCode: code ?? 1 }

// O_NOCTTY: the agent of a systemd unit leads a session without a terminal and would acquire this one.
const openSlave = (path: string): number => openSync(path, constants.O_RDWR | constants.O_NOCTTY)

// Mode 0620 as login(1) sets it. devpts normally gives the device to group `tty` (mount option gid=5), which keeps
// other members of the user's own group from writing to the terminal; only without that option is `gid` used.
const giveTo = (slave: number, owner: { uid: number; gid: number }): void => {
  const given = fstatSync(slave).gid
  fchownSync(slave, owner.uid, given === process.getegid?.() ? owner.gid : given)
  fchmodSync(slave, 0o620)
}

const checkOptions = ({ file, cwd, cols, rows }: PtyOptions): void => {
  for (const size of [cols, rows]) {
    if (!Number.isInteger(size) || size < 1 || size > 0xffff) {
      throw new Error(
        `Cannot open a terminal of ${cols}x${rows}: both must be whole numbers from 1 to 65535.`,
      )
    }
  }
  const check = (path: string, what: string): void => {
    try {
      accessSync(path, constants.X_OK)
    } catch (cause) {
      throw new Error(`Cannot start ${file}: ${what} ${path} does not exist or may not be used.`, { cause })
    }
  }
  if (file.includes('/')) check(file, 'the program')
  check(cwd, 'the directory')
}

const setsid = ['/usr/bin/setsid', '/bin/setsid']

// The kernel's default line discipline erases bytes; IUTF8 makes it erase characters.
const prepareTerminal = 'stty iutf8 2>/dev/null; exec "$@"'

/**
 * Linux: the addon opens the pair, `setsid --ctty` of util-linux (or busybox) makes the program a session leader on
 * it. Not the addon's `fork`, which hands other sessions' masters to the child (see inherited-fds.ts) and needs a
 * thread for each session.
 */
export const startWithSetsid = (options: PtyOptions): Started => {
  checkOptions(options)
  const launcher = setsid.find(path => existsSync(path))
  if (launcher === undefined) {
    throw new Error(`Cannot start a terminal: setsid is not in ${setsid.join(' or ')}. Install util-linux.`)
  }
  const pair = nativePty().open(options.cols, options.rows)
  const open = [pair.master, pair.slave]
  try {
    // The addon's own descriptor is non-blocking, which would be shared with the program.
    const slave = openSlave(pair.pty)
    open.push(slave)
    if (options.owner !== undefined) giveTo(slave, options.owner)
    const args = ['-c', '/bin/sh', '-c', prepareTerminal, 'sh', options.file, ...options.args]
    const stdio = sealedStdio([slave, slave, slave], pair.master, pair.slave)
    const child = spawn(launcher, args, { cwd: options.cwd, env: options.env, stdio })
    const exited = new Promise<PtyExit>(resolve => {
      child.once('exit', (code, signal) => resolve(exitOf(code, signal === null ? 0 : os.signals[signal])))
    })
    child.on('error', () => undefined)
    if (child.pid === undefined)
      throw new Error(`Cannot start ${options.file}: the system refused a new process.`)
    closeSync(pair.slave)
    return { pid: child.pid, master: pair.master, slave, exited, hangUp: () => child.kill('SIGHUP') }
  } catch (error) {
    for (const fd of open) closeSync(fd)
    throw error
  }
}

/** macOS, where posix_spawn closes everything by default (POSIX_SPAWN_CLOEXEC_DEFAULT) and setsid(1) is missing. */
export const startWithFork = (options: PtyOptions): Started => {
  checkOptions(options)
  const { file, args, cwd, cols, rows } = options
  const env = Object.entries(options.env).map(([name, value]) => `${name}=${value}`)
  let running = true
  let report: (exit: PtyExit) => void = () => undefined
  const exited = new Promise<PtyExit>(resolve => {
    report = resolve
  })
  const onexit = (code: number, signal: number): void => {
    running = false
    report(exitOf(code, signal))
  }
  const term = nativePty().fork(file, args, env, cwd, cols, rows, -1, -1, true, spawnHelperPath(), onexit)
  const hangUp = (): void => {
    if (running) process.kill(term.pid, 'SIGHUP')
  }
  try {
    const slave = openSlave(term.pty)
    if (options.owner !== undefined) giveTo(slave, options.owner)
    return { pid: term.pid, master: term.fd, slave, exited, hangUp }
  } catch (error) {
    hangUp()
    closeSync(term.fd)
    throw error
  }
}
