import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, fchownSync, openSync } from 'node:fs'
import { sealedStdio } from '../../pty/inherited-fds.ts'

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants

/** The program's end is blocking, as programs expect; ours is not. */
type Pipe = { ours: number; theirs: number }
export type Pipes = { stdin: Pipe; stdout: Pipe; stderr: Pipe }

// Three pipes on descriptors 1, 3 and 4 of one process, which says its id and waits until nobody needs it any more.
const MAKE_PIPES = `{ { { sh -c 'echo $PPID >&2'; read -r end; } | :; } 4>&1 | :; } 3>&1 | :`
const ENVIRONMENT = { PATH: '/usr/bin:/bin' }

/**
 * The standard streams of a program, as real pipes. What Node makes for `stdio: 'pipe'` are sockets, and neither a socket
 * nor the pipe of another user can be opened by name: `cat /dev/stdin` and `echo oops >/dev/stderr` would fail, and a
 * named pipe would keep the former waiting for a writer. Node cannot make pipes, but a shell can, and Linux lets others
 * open them (proc(5), /proc/<pid>/fd).
 */
export async function openPipes(): Promise<Pipes> {
  if (process.platform !== 'linux') throw new Error('Commands without a terminal run on Linux nodes only.')
  const stdio = sealedStdio(['pipe', 'ignore', 'pipe'])
  const maker = spawn('/bin/sh', ['-c', MAKE_PIPES], { cwd: '/', env: ENVIRONMENT, stdio })
  const gone = once(maker, 'exit').catch(() => undefined)
  const open: number[] = []
  const openEnd = (path: string, mode: number): number => {
    const fd = openSync(path, mode)
    open.push(fd)
    return fd
  }
  try {
    const descriptors = `/proc/${await idSaidBy(maker)}/fd`
    // The reading end first: a pipe without one cannot be opened for writing.
    const read = (fd: number, flags = 0): number => openEnd(`${descriptors}/${fd}`, O_RDONLY | flags)
    const write = (fd: number, flags = 0): number => openEnd(`${descriptors}/${fd}`, O_WRONLY | flags)
    return {
      stdin: { theirs: read(1), ours: write(1, O_NONBLOCK) },
      stdout: { ours: read(3, O_NONBLOCK), theirs: write(3) },
      stderr: { ours: read(4, O_NONBLOCK), theirs: write(4) },
    }
  } catch (cause) {
    for (const fd of open) closeSync(fd)
    throw new Error(`Unable to start the command: no pipes for it (${(cause as Error).message}).`, { cause })
  } finally {
    // Or the program would have company on its pipes, and never find the end of its input.
    maker.stdin?.end()
    await gone
  }
}

async function idSaidBy(maker: ChildProcess): Promise<number> {
  let said = ''
  for await (const chunk of maker.stderr ?? []) {
    said += chunk
    const id = /^(\d+)\n/.exec(said)?.[1]
    if (id !== undefined) return Number(id)
  }
  throw new Error(said.trim() || 'sh ended without a word')
}

/** The program's user may then open its own streams by name. For an agent that is root. */
export function givePipes(pipes: Pipes, owner: { uid: number; gid: number }): void {
  for (const { theirs } of Object.values(pipes)) fchownSync(theirs, owner.uid, owner.gid)
}

export function closePipes(pipes: Pipes): void {
  for (const { ours, theirs } of Object.values(pipes)) {
    closeSync(ours)
    closeSync(theirs)
  }
}
