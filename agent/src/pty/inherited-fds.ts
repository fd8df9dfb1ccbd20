import type { StdioOptions } from 'node:child_process'
import { openSync, readdirSync, readFileSync } from 'node:fs'

// The addon opens pty masters without O_CLOEXEC and Node has no fcntl, so every child of the agent would inherit
// the masters of all open sessions: one user could read and type into another's terminal. The addon's own guard
// (`fork` marks descriptors from 3 up and stops at the first gap above 15) misses masters behind a gap.

// By descriptor, with a token: a number can be in use again before the stream that had it reports its close.
const masters = new Map<number, symbol>()
let nullDevice: number | undefined

/** Covers the pty master `fd` in every child started from now on; call the result once the descriptor is closed. */
export const hideFromChildren = (fd: number): (() => void) => {
  const token = Symbol()
  masters.set(fd, token)
  return () => {
    if (masters.get(fd) === token) masters.delete(fd)
  }
}

const FIRST_AFTER_STDIO = 3
const O_CLOEXEC = 0o2000000

/**
 * Covers what the agent itself was started with besides its standard streams: whoever starts it by hand may have
 * anything open, a terminal or a key file, and no session is to get at that. To be called before anything is opened.
 */
export const hideInheritedFromChildren = (): void => {
  if (process.platform !== 'linux') return
  for (const fd of readdirSync('/proc/self/fd').map(Number)) {
    if (fd >= FIRST_AFTER_STDIO && !closesOnExec(fd)) hideFromChildren(fd)
  }
}

/** proc(5), fdinfo: `flags` is octal and has O_CLOEXEC. True for a descriptor that is gone. */
const closesOnExec = (fd: number): boolean => {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
    return flags === undefined || (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0
  } catch {
    return true
  }
}

type Stdio = Extract<StdioOptions, unknown[]>

/**
 * The `stdio` option for every `spawn` in the agent: `first` as given, and /dev/null over each live pty master
 * and over each descriptor in `also`, so that no child receives another session's terminal.
 */
export const sealedStdio = (first: Stdio, ...also: number[]): Stdio => {
  const covered = new Set([...masters.keys(), ...also])
  const highest = Math.max(0, ...covered)
  if (highest < first.length) return [...first]
  nullDevice ??= openSync('/dev/null', 'r')
  const stdio: Stdio = [...first]
  for (let fd = first.length; fd <= highest; fd++) stdio.push(covered.has(fd) ? nullDevice : 'ignore')
  return stdio
}
