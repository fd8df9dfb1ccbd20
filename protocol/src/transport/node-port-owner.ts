import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** `st` of a socket that listens (include/net/tcp_states.h). */
const LISTENING = '0A'

/**
 * The program that listens on a TCP port of this machine, as `name (pid 123)`; undefined where it cannot be known: it
 * is another user's, or this is no Linux (proc(5), "/proc/net/tcp").
 */
export function portOwner(port: number, proc = '/proc'): string | undefined {
  const sockets = new Set(['tcp', 'tcp6'].flatMap(table => listening(`${proc}/net/${table}`, port)))
  if (sockets.size === 0) return undefined
  for (const pid of list(proc)) {
    if (!/^\d+$/.test(pid)) continue
    const folder = `${proc}/${pid}/fd`
    if (list(folder).some(fd => sockets.has(target(`${folder}/${fd}`)))) {
      return `${read(`${proc}/${pid}/comm`).trim()} (pid ${pid})`
    }
  }
  return undefined
}

/** What the links in `/proc/<pid>/fd` of these sockets say. */
function listening(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  return read(table)
    .split('\n')
    .slice(1)
    .flatMap(line => {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/)
      return state === LISTENING && local.endsWith(`:${wanted}`) ? [`socket:[${inode}]`] : []
    })
}

function read(path: string): string {
  return attempt(() => readFileSync(path, 'utf8')) ?? ''
}

function list(path: string): string[] {
  return attempt(() => readdirSync(path)) ?? []
}

function target(path: string): string {
  return attempt(() => readlinkSync(path)) ?? ''
}

/** Processes end, and others' are closed to us. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
