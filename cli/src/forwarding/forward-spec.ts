import { usageError } from '../errors.ts'

/** One forward, as asked for on the command line. */
export type ForwardSpec = {
  local: LocalEnd
  /** What the node connects to; undefined: a port of its own. */
  host?: string
  port: number
}

export type LocalEnd =
  | { path: string }
  | { port: number /** Undefined: the loopback addresses. */; bind?: string }

const MAXIMUM_PORT = 65_535
const EXAMPLES = `For example:
  8080                   port 8080 here to port 8080 of the node
  56789:80               port 56789 here to port 80 of the node
  :80                    a free port here
  5432:db.internal:5432  to a host that the node can reach
  0.0.0.0:8080:80        for other machines too`

/** Parts between colons; what is in brackets is one part, as the colons of an IPv6 address are in URLs. */
const PART = /\[([^[\]]*)\]|([^:[\]]*)/y

/**
 * Reads `PORT`, `LOCAL:PORT`, `LOCAL:HOST:PORT`, each of the last two with `BIND:` in front. `LOCAL` is a port, or
 * empty or 0 for a free one; of three parts the one in the middle is a port or a host. Throws a usage error.
 */
export function parseForwardSpec(text: string): ForwardSpec {
  const parts = split(text)
  const [first = '', second = '', third = '', fourth = ''] = parts ?? []
  switch (parts?.length) {
    case 1:
      return { local: { port: readPort(text, first) }, port: readPort(text, first) }
    case 2:
      refuseHostAlone(first, second)
      return { local: { port: readLocal(text, first) }, port: readPort(text, second) }
    case 3:
      if (isNumber(first) || first === '') {
        if (isNumber(second)) throw misread(text, `"${first}" is no address and "${second}" no host name`)
        return {
          local: { port: readLocal(text, first) },
          host: readHost(text, second),
          port: readPort(text, third),
        }
      }
      return { local: { port: readLocal(text, second), bind: first }, port: readPort(text, third) }
    case 4:
      return {
        local: { port: readLocal(text, second), bind: readHost(text, first) },
        host: readHost(text, third),
        port: readPort(text, fourth),
      }
    default:
      throw misread(text, 'IPv6 addresses stand in brackets')
  }
}

/** With `--socket` only the far end is left to say: `PORT` or `HOST:PORT`. */
export function parseTarget(text: string, path: string): ForwardSpec {
  const parts = split(text)
  const [first = '', second = ''] = parts ?? []
  if (parts?.length === 1) return { local: { path }, port: readPort(text, first) }
  if (parts?.length === 2)
    return { local: { path }, host: readHost(text, first), port: readPort(text, second) }
  throw misread(text, 'with --socket it is PORT or HOST:PORT')
}

function split(text: string): string[] | undefined {
  const parts: string[] = []
  for (let at = 0; ; at = PART.lastIndex + 1) {
    PART.lastIndex = at
    const found = PART.exec(text)
    if (found === null) return undefined
    parts.push(found[1] ?? found[2] ?? '')
    if (PART.lastIndex === text.length) return parts
    if (text[PART.lastIndex] !== ':') return undefined
  }
}

const isNumber = (part: string) => /^\d+$/.test(part)

function readLocal(text: string, part: string): number {
  return part === '' || /^0+$/.test(part) ? 0 : readPort(text, part)
}

function readPort(text: string, part: string): number {
  const port = Number(part)
  if (!isNumber(part) || port < 1 || port > MAXIMUM_PORT) {
    throw misread(text, `"${part}" is no port from 1 to ${MAXIMUM_PORT}`)
  }
  return port
}

function readHost(text: string, part: string): string {
  if (part === '') throw misread(text, 'a host is missing')
  return part
}

/** `db.internal:5432`, as it is said everywhere else. */
function refuseHostAlone(host: string, port: string): void {
  if (!/[a-z.:]/i.test(host) || !isNumber(port)) return
  const written = host.includes(':') ? `[${host}]` : host
  throw usageError(`"${host}" is no port. Did you mean ${port}:${written}:${port}?`)
}

function misread(text: string, why: string) {
  return usageError(`"${text}" is not what to forward: ${why}.\n${EXAMPLES}`)
}
