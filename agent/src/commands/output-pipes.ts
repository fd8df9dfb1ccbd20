import { closeSync, constants, openSync } from 'node:fs'
import { openPipes } from '../sessions/commands/pipes.ts'

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants
/** As many as commands run at once. */
const MAXIMUM_KEPT = 10

type Pipe = { ours: number; theirs: number }
export type OutputPipes = {
  stdout: Pipe
  stderr: Pipe
  /** `emptied`: everything was read, to the end. Closes none of `ours` and `theirs`. */
  giveBack(emptied: boolean): void
}

/** Reading ends of pipes that nobody writes to, which keep them in being. */
type Kept = { stdout: number; stderr: number }
const kept: Kept[] = []

/**
 * Pipes for the output of a program, so that it can open /dev/stdout and /dev/stderr; undefined where there are none, and
 * sockets have to do. Making them takes longer than starting a shell, so they are used again: a pipe that has come to its
 * end has no writer left, and gets another when its reading end is opened for writing (proc(5), /proc/<pid>/fd).
 */
export async function takePipes(): Promise<OutputPipes | undefined> {
  if (process.platform !== 'linux') return undefined
  try {
    return openEnds(kept.pop() ?? (await makePipes()))
  } catch {
    return undefined
  }
}

async function makePipes(): Promise<Kept> {
  const { stdin, stdout, stderr } = await openPipes()
  for (const fd of [stdin.ours, stdin.theirs, stdout.theirs, stderr.theirs]) closeSync(fd)
  return { stdout: stdout.ours, stderr: stderr.ours }
}

function openEnds(pipes: Kept): OutputPipes {
  const open: number[] = []
  const end = (fd: number, flags: number): number => {
    const opened = openSync(`/proc/self/fd/${fd}`, flags)
    open.push(opened)
    return opened
  }
  const both = (fd: number): Pipe => ({ theirs: end(fd, O_WRONLY), ours: end(fd, O_RDONLY | O_NONBLOCK) })
  const close = (): void => {
    for (const fd of [pipes.stdout, pipes.stderr]) closeSync(fd)
  }
  try {
    const ends = { stdout: both(pipes.stdout), stderr: both(pipes.stderr) }
    return {
      ...ends,
      giveBack: emptied => void (emptied && kept.length < MAXIMUM_KEPT ? kept.push(pipes) : close()),
    }
  } catch (error) {
    for (const fd of open) closeSync(fd)
    close()
    throw error
  }
}
