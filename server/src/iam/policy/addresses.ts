import { BadValue } from './malformed.ts'

/** An IPv4 address in one group of 32 bits, an IPv6 address in four. */
type Address = readonly number[]

export type AddressRange = { readonly base: Address; readonly prefix: number }

const GROUP_BITS = 32
const IPV6_GROUPS = 4
const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/
const HEX_GROUP = /^[0-9a-fA-F]{1,4}$/
const PREFIX = /^\d{1,3}$/
const IPV6_PIECES = 8
const LONGEST_IPV6 = 45
/** ::ffff:0:0/96 (RFC 4291 2.5.5.2) */
const MAPPED = [0, 0, 0xffff]
const MAPPED_BITS = 96

/** `203.0.113.0/24`, `2001:db8::/32`, or an address alone. Throws BadValue. */
export function readAddressRange(text: string): AddressRange {
  const slash = text.indexOf('/')
  const base = parseAddress(slash === -1 ? text : text.slice(0, slash))
  if (base === undefined)
    throw new BadValue('expected an IPv4 or IPv6 address, or a range such as 10.0.0.0/8')
  const bits = base.length * GROUP_BITS
  const written = slash === -1 ? String(bits) : text.slice(slash + 1)
  const prefix = Number(written)
  if (!PREFIX.test(written) || prefix > bits) {
    throw new BadValue(`the part behind the slash must be a number from 0 to ${bits}`)
  }
  if (isMapped(base) && prefix >= MAPPED_BITS) return { base: unmapped(base), prefix: prefix - MAPPED_BITS }
  return { base, prefix }
}

/** IPv4 written as IPv6 (`::ffff:10.0.0.1`) is IPv4. Undefined for anything that is not an address. */
export function readAddress(text: string): Address | undefined {
  const address = parseAddress(text)
  return address === undefined ? undefined : unmapped(address)
}

/** IPv4 addresses are in no range of IPv6, not even in ::/0, nor the other way round. */
export function isInRange(address: Address, { base, prefix }: AddressRange): boolean {
  if (address.length !== base.length) return false
  for (let index = 0, left = prefix; left > 0; index++, left -= GROUP_BITS) {
    const mask = left >= GROUP_BITS ? -1 : -1 << (GROUP_BITS - left)
    if ((((address[index] ?? 0) ^ (base[index] ?? 0)) & mask) !== 0) return false
  }
  return true
}

function isMapped(address: Address): boolean {
  return address.length === IPV6_GROUPS && MAPPED.every((group, index) => address[index] === group)
}

function unmapped(address: Address): Address {
  return isMapped(address) ? address.slice(MAPPED.length) : address
}

function parseAddress(text: string): Address | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

/** No leading zeros: some programs read them as octal. */
function parseIpv4(text: string): Address | undefined {
  const bytes = IPV4.exec(text)?.slice(1)
  if (bytes === undefined) return undefined
  let address = 0
  for (const byte of bytes) {
    if (Number(byte) > 255 || (byte.length > 1 && byte.startsWith('0'))) return undefined
    address = (address << 8) | Number(byte)
  }
  return [address >>> 0]
}

/** RFC 4291 2.2, the forms with `::` and with an IPv4 tail included; no zones. */
function parseIpv6(text: string): Address | undefined {
  if (text.length > LONGEST_IPV6) return undefined
  const [head = '', tail, ...more] = text.split('::')
  if (more.length > 0) return undefined
  const front = pieces(head, tail === undefined)
  const back = tail === undefined ? [] : pieces(tail, true)
  if (front === undefined || back === undefined) return undefined
  const missing = IPV6_PIECES - front.length - back.length
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined
  const all = [...front, ...new Array<number>(missing).fill(0), ...back]
  const groups: number[] = []
  for (let index = 0; index < all.length; index += 2) {
    groups.push((((all[index] ?? 0) << 16) | (all[index + 1] ?? 0)) >>> 0)
  }
  return groups
}

function pieces(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === '') return []
  const values: number[] = []
  const written = text.split(':')
  for (const [index, piece] of written.entries()) {
    const isLast = index === written.length - 1
    const [ipv4] = (isLast && mayEndInIpv4 && parseIpv4(piece)) || []
    if (ipv4 !== undefined) values.push(ipv4 >>> 16, ipv4 & 0xffff)
    else if (HEX_GROUP.test(piece)) values.push(Number.parseInt(piece, 16))
    else return undefined
  }
  return values
}
