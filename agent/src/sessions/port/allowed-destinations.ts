import { isIP, isIPv6 } from 'node:net'
import type { Address } from './address.ts'
import { AddressRanges } from './address-ranges.ts'
import { readName } from './host.ts'

const MAXIMUM_ENTRIES = 1000
const MAXIMUM_PORT = 65_535
const LOCALHOST = new AddressRanges(['127.0.0.0/8', '::1'])

type Entry = {
  /** Undefined: every port. */
  port: number | undefined
  /** Whether it allows the host by its name, whatever address that has. */
  byName: (name: string) => boolean
  /** The addresses that it allows, under any name. */
  ranges: AddressRanges | undefined
}

/**
 * `allowedDestinations` of a session document: the only destinations its sessions may have. Each entry is a host
 * name, `*.suffix`, an address, a CIDR range or `*`, with `:port` or `:*` behind it; no port means every port.
 */
export class AllowedDestinations {
  readonly #entries: Entry[]

  /** Throws a RangeError that names the entry that cannot be read. An empty list allows nothing. */
  constructor(list: unknown) {
    if (!Array.isArray(list) || !list.every(entry => typeof entry === 'string')) {
      throw new RangeError('allowedDestinations of the session document is not a list of strings.')
    }
    if (list.length > MAXIMUM_ENTRIES) {
      throw new RangeError(
        `allowedDestinations of the session document has ${list.length} entries, more than ${MAXIMUM_ENTRIES}.`,
      )
    }
    this.#entries = list.map(readEntry)
  }

  /** Whether any address at all could be allowed; if not, the name need not be resolved. */
  mayAllow(name: string, port: number): boolean {
    return this.#for(port).some(entry => entry.ranges !== undefined || entry.byName(name))
  }

  allows(name: string, address: Address, port: number): boolean {
    return this.#for(port).some(entry => entry.ranges?.has(address) || entry.byName(name))
  }

  #for(port: number): Entry[] {
    return this.#entries.filter(entry => entry.port === undefined || entry.port === port)
  }
}

const FORMS = [
  /^\[([^[\]]*:[^[\]]*)\](?::(\d+|\*))?$/,
  /^([^[\]/]+\/\d+)(?::(\d+|\*))?$/,
  /^([^:[\]/]+)(?::(\d+|\*))?$/,
] as const

function readEntry(entry: string): Entry {
  const [, host = '', port = '*'] = isIPv6(entry) ? [entry, entry] : (firstMatch(entry) ?? [])
  const ofHost = readHostOf(host)
  if (ofHost === undefined || (port !== '*' && !(Number(port) >= 1 && Number(port) <= MAXIMUM_PORT))) {
    throw new RangeError(
      `'${entry}' in allowedDestinations of the session document is not a destination: write a host name, *.suffix, ` +
        'an address or a range, then :port or :*, such as db.internal:5432, 10.0.0.0/8:* or [fd00::1]:443.',
    )
  }
  return { port: port === '*' ? undefined : Number(port), ...ofHost }
}

function firstMatch(entry: string): RegExpExecArray | undefined {
  for (const form of FORMS) {
    const match = form.exec(entry)
    if (match !== null) return match
  }
  return undefined
}

function readHostOf(host: string): Omit<Entry, 'port'> | undefined {
  if (host === '*') return { byName: () => true, ranges: undefined }
  if (isIP(host) !== 0 || host.includes('/')) return readRanges(host)
  const suffix = host.startsWith('*.') ? host.slice(1) : undefined
  const name = readName(suffix?.slice(1) ?? host)
  // What ends in a number is an address that somebody got wrong.
  if (name === undefined || /(^|\.)[0-9]+$/.test(name)) return undefined
  if (suffix !== undefined) return { byName: each => each.endsWith(`.${name}`), ranges: undefined }
  // However the node's own address is spelled.
  return { byName: each => each === name, ranges: name === 'localhost' ? LOCALHOST : undefined }
}

function readRanges(host: string): Omit<Entry, 'port'> | undefined {
  try {
    return { byName: () => false, ranges: new AddressRanges([host]) }
  } catch {
    return undefined
  }
}
