import { isIPv4, isIPv6 } from 'node:net'

/** An address in its one canonical spelling, as connections are made to it and rules are applied to it. */
export type Address = {
  family: 'ipv4' | 'ipv6'
  text: string
  /** The interface of a link-local address, with its `%`; else empty. */
  zone: string
}

const IPV4_BITS = 32
const MAXIMUM_IPV4_PARTS = 4

/** What Linux makes of a connection to "no address": one to itself. */
const UNSPECIFIED: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** Reads an address in one of its ordinary spellings, as name servers give it and rules are written. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return addressOf(text)
  if (!isIPv6(text)) return undefined
  const [address = '', zone] = text.split('%')
  const groups = groupsOf(address)
  // `::ffff:a.b.c.d` is no other host than `a.b.c.d` (RFC 4291 2.5.5.2).
  if (isPrefix(groups, [0, 0, 0, 0, 0, 0xffff])) return addressOf(ipv4At(groups, 6))
  return addressOf(ipv6Text(groups), zone === undefined ? '' : `%${zone}`)
}

/**
 * Reads an address in any spelling that libc takes (inet_aton(3)): `2130706433`, `0x7f.1`, `0177.0.0.1`, `127.1`,
 * and with brackets or a dot behind it. Undefined: it is a name. Throws on what is neither, such as `1.2.3.999`.
 */
export function parseSpelledAddress(host: string): Address | undefined {
  const bare = /^\[(.*)\]$/.exec(host)?.[1] ?? host.replace(/\.$/, '')
  const address = parseAddress(bare)
  if (address !== undefined) return address
  if (bare.includes(':') || bare !== host.replace(/\.$/, '')) throw new RangeError(`'${host}' is no address`)
  // No top-level domain is a number (RFC 1123 2.1), so this can only be meant as an address (WHATWG URL, "ends in a number").
  const labels = bare.split('.')
  if (!/^([0-9]+|0[xX][0-9a-fA-F]*)$/.test(labels.at(-1) ?? '')) return undefined
  const text = fromNumbers(labels.map(toNumber))
  if (text === undefined) throw new RangeError(`'${host}' is no address`)
  return addressOf(text)
}

/**
 * The IPv4 hosts that this address may reach in the end, through translators and tunnels on the way: compatible
 * and ISATAP addresses, SIIT (RFC 2765), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380).
 */
export function embeddedAddresses(address: Address): Address[] {
  if (address.family === 'ipv4') return []
  const groups = groupsOf(address.text)
  const found: string[] = []
  if (isPrefix(groups, [0, 0, 0, 0, 0, 0])) found.push(ipv4At(groups, 6))
  if (isPrefix(groups, [0, 0, 0, 0, 0xffff, 0])) found.push(ipv4At(groups, 6))
  if (isPrefix(groups, [0x64, 0xff9b])) found.push(ipv4At(groups, 6))
  // RFC 6052 2.2: behind a /48 the address is split around bits 64 to 71, which are zero.
  if (isPrefix(groups, [0x64, 0xff9b, 1])) {
    found.push(ipv4Of(groups[3] ?? 0, (((groups[4] ?? 0) & 0xff) << 8) | ((groups[5] ?? 0) >> 8)))
  }
  if (isPrefix(groups, [0x2002])) found.push(ipv4At(groups, 1))
  if (isPrefix(groups, [0x2001, 0])) {
    found.push(ipv4At(groups, 2), ipv4Of((groups[6] ?? 0) ^ 0xffff, (groups[7] ?? 0) ^ 0xffff))
  }
  if (groups[5] === 0x5efe && ((groups[4] ?? 0) & 0xfdff) === 0) found.push(ipv4At(groups, 6))
  // Nothing is behind 0.0.0.0/8; most of these are no embedded addresses at all.
  return found.filter(text => !text.startsWith('0.')).map(text => addressOf(text))
}

function addressOf(spelled: string, zone = ''): Address {
  const text = UNSPECIFIED[spelled] ?? spelled
  return { family: text.includes(':') ? 'ipv6' : 'ipv4', text, zone }
}

function toNumber(label: string): number {
  if (/^0[xX][0-9a-fA-F]*$/.test(label)) return label.length === 2 ? 0 : Number(label)
  if (/^0[0-7]*$/.test(label)) return Number.parseInt(label, 8)
  return /^[1-9][0-9]*$/.test(label) ? Number(label) : Number.NaN
}

/** inet_aton(3): the last number fills all the bytes that the others leave. */
function fromNumbers(numbers: number[]): string | undefined {
  if (numbers.length > MAXIMUM_IPV4_PARTS) return undefined
  const leading = numbers.slice(0, -1)
  const last = numbers.at(-1) ?? Number.NaN
  const lastBits = IPV4_BITS - 8 * leading.length
  if (!leading.every(number => number <= 0xff) || !(last < 2 ** lastBits)) return undefined
  const value = leading.reduce((sum, number, i) => sum + number * 2 ** (24 - 8 * i), last)
  return ipv4Of(Math.floor(value / 0x10000), value % 0x10000)
}

/** The eight groups of an IPv6 address that is known to be well-formed. */
function groupsOf(text: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text)
  if (dotted) {
    const [, head = '', a, b, c, d] = dotted
    const pair = (high?: string, low?: string) => (Number(high) * 256 + Number(low)).toString(16)
    return groupsOf(`${head}${pair(a, b)}:${pair(c, d)}`)
  }
  const [head = [], tail = []] = text
    .split('::')
    .map(half => (half === '' ? [] : half.split(':').map(group => Number.parseInt(group, 16))))
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail]
}

/** The canonical spelling (RFC 5952), which is the URL standard's too. */
function ipv6Text(groups: number[]): string {
  const spelled = groups.map(group => group.toString(16)).join(':')
  return new URL(`http://[${spelled}]`).hostname.slice(1, -1)
}

function isPrefix(groups: number[], prefix: number[]): boolean {
  return prefix.every((group, i) => groups[i] === group)
}

function ipv4At(groups: number[], index: number): string {
  return ipv4Of(groups[index] ?? 0, groups[index + 1] ?? 0)
}

function ipv4Of(high: number, low: number): string {
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}
