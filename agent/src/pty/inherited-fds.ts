import type { StdioOptions } from 'node:child_process'
import { openSync } from 'node:fs'

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
