import { readdir, readFile } from 'node:fs/promises'

type Process = { pid: number; parent: number; session: number; started: string }

export type EndOptions = {
  /** How long programs may take to end by themselves after the hang-up, in ms. Default 1000. */
  graceMs?: number
  /** What asks them to end. Default SIGHUP, as when a terminal goes away. */
  ask?: 'SIGHUP' | 'SIGTERM'
  /** Also ends descendants that left the POSIX session (setsid, sudo with its own pty), as far as they are still children. */
  detached?: boolean
  /** Also ends whatever has this in its environment, as NAME=value: not even those that left both can lose it. */
  marked?: string
}

const DEFAULT_GRACE_MS = 1000
const POLL_MS = 20
// After a KILL only processes in uninterruptible sleep remain, and waiting for a dead disk helps nobody.
const KILL_WAIT_MS = 2000
// Reading /proc of a busy node takes tens of ms: in portions, so that the other sessions go on.
const PORTION = 64

const after = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

// proc(5): pid (comm) state ppid pgrp session tty_nr ... starttime is field 22. comm may hold blanks and parentheses.
const parseStat = (pid: number, stat: string): Process | undefined => {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, parent, , session] = fields
  // A zombie has ended; its parent has not looked yet.
  if (state === 'Z' || state === 'X') return undefined
  return { pid, parent: Number(parent), session: Number(session), started: fields[19] ?? '' }
}

const readProcess = async (pid: number): Promise<Process | undefined> => {
  try {
    return parseStat(pid, await readFile(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return undefined
  }
}

const allProcesses = async (): Promise<Process[]> => {
  const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger)
  const found: Process[] = []
  for (let i = 0; i < pids.length; i += PORTION) {
    const portion = await Promise.all(pids.slice(i, i + PORTION).map(readProcess))
    for (const process of portion) if (process !== undefined) found.push(process)
  }
  return found
}

/** Whether a process was started with `mark` in its environment (proc(5), environ). */
const carries = async (pid: number, mark: string): Promise<boolean> => {
  try {
    return (await readFile(`/proc/${pid}/environ`, 'latin1')).split('\0').includes(mark)
  } catch {
    // It has ended, or is another user's.
    return false
  }
}

const key = ({ pid, started }: Process): string => `${pid} ${started}`

const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch {
    // ESRCH: it was faster. EPERM: a set-user-id program under an agent that is not root.
  }
}

/** Finds what belongs to the session, now and at every later call; with `detached` it remembers who its children were. */
const membersOf = (leader: number, { detached = false, marked }: EndOptions) => {
  const known = new Set<string>()
  const looked = new Set<string>()
  const lookForMarks = async (all: readonly Process[]): Promise<void> => {
    if (marked === undefined) return
    for (const candidate of all) {
      if (looked.has(key(candidate))) continue
      looked.add(key(candidate))
      if (await carries(candidate.pid, marked)) known.add(key(candidate))
    }
  }
  return async (): Promise<Process[]> => {
    const all = await allProcesses()
    await lookForMarks(all)
    // Not seeded with `leader`: once it is gone and its session empty, its number can be anybody's.
    const family = new Set<number>()
    const isMember = (candidate: Process): boolean =>
      candidate.session === leader || known.has(key(candidate)) || (detached && family.has(candidate.parent))
    for (let size = -1; size !== family.size; ) {
      size = family.size
      for (const candidate of all) if (isMember(candidate)) family.add(candidate.pid)
    }
    const own = all.filter(({ pid }) => family.has(pid) && pid > 1 && pid !== process.pid)
    if (detached) for (const member of own) known.add(key(member))
    return own
  }
}

const endSession = async (leader: number, graceMs: number, options: EndOptions): Promise<void> => {
  const { ask = 'SIGHUP' } = options
  const members = membersOf(leader, options)
  const asked = new Set<string>()
  const graceUntil = performance.now() + graceMs
  const giveUp = graceUntil + KILL_WAIT_MS
  for (let left = await members(); left.length > 0; left = await members()) {
    const now = performance.now()
    if (now > giveUp) return
    for (const member of left) {
      if (now >= graceUntil) signal(member.pid, 'SIGKILL')
      else if (!asked.has(key(member))) {
        asked.add(key(member))
        // A stopped job takes no signal but KILL before it continues.
        signal(member.pid, ask)
        signal(member.pid, 'SIGCONT')
      }
    }
    await after(POLL_MS)
  }
}

const groupExists = (group: number): boolean => {
  try {
    process.kill(-group, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

// Without /proc only the process group of the shell is known; jobs of a job-control shell hang up with the terminal.
const endGroup = async (group: number, graceMs: number, ask: NodeJS.Signals): Promise<void> => {
  signal(-group, ask)
  signal(-group, 'SIGCONT')
  const graceUntil = performance.now() + graceMs
  while (groupExists(group) && performance.now() < graceUntil) await after(POLL_MS)
  signal(-group, 'SIGKILL')
}

/**
 * Ends every process of the POSIX session led by `pid`: hang-up (or `ask`) first, KILL for what is left after the grace. Resolves when
 * they are gone (at most 2 s after the KILL). Background jobs have process groups of their own but stay in the session,
 * which is why the group alone would not do (security-cases.md 15). Call it while the program runs or right after its
 * exit: much later the number may lead a session that is not ours.
 */
export const endProcesses = async (pid: number, options: EndOptions = {}): Promise<void> => {
  if (!Number.isInteger(pid) || pid <= 1 || pid === process.pid) return
  const { graceMs = DEFAULT_GRACE_MS, ask = 'SIGHUP' } = options
  if (process.platform === 'linux') await endSession(pid, graceMs, options)
  else await endGroup(pid, graceMs, ask)
}
