import { BlockList, isIP } from 'node:net'
import { type LogLevel, logLevels } from './logger.ts'

/** `port` 0 asks the operating system for a free one. */
export type ListenAddress = { host: string; port: number }

/** A setting as it was given: the flag or the variable, and its text. */
export type NamedValue = { name: string; value: string }

/** A setting that the server cannot start with. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** The flag (`--listen`) or variable (`SALLYPORT_LISTEN`) that holds the value. */
  readonly option: string
  readonly value: string
  readonly expected: string

  constructor(named: NamedValue, expected: string) {
    super(`${named.name} is ${JSON.stringify(named.value)}; expected ${expected}`)
    this.option = named.name
    this.value = named.value
    this.expected = expected
  }
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

// RFC 1123 labels, and the underscore that machines in the wild carry in their host names.
const label = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?'
const dnsName = new RegExp(`^(?=.{1,253}$)${label}(?:\\.${label})*$`)

/** `host:port` or `[ipv6]:port`. */
export function listenAddress(named: NamedValue): ListenAddress {
  const expected = 'host:port or [ipv6]:port, with a port from 0 to 65535 (0 takes a free one)'
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(named.value)
  const [, bracketed, plain, digits] = match ?? []
  const port = Number(digits)
  const valid = bracketed === undefined ? isDnsNameOrIpv4(plain ?? '') : isIP(bracketed) === 6
  if (!match || !valid || port > 65_535) throw new ConfigError(named, expected)
  return { host: bracketed ?? plain ?? '', port }
}

/** As listenAddress, on a loopback address only, since whoever reaches this listener is not encrypted; or `off`. */
export function httpListen(named: NamedValue): ListenAddress | undefined {
  if (named.value === 'off') return undefined
  const address = listenAddress(named)
  if (!isLoopback(address.host)) {
    throw new ConfigError(
      named,
      'a loopback address such as 127.0.0.1:8080, or off: this listener is not encrypted',
    )
  }
  return address
}

/** A DNS name, possibly with `*` as its first label, or an IP address without brackets. */
export function hostName(named: NamedValue): string {
  const name = named.value.startsWith('*.') ? named.value.slice(2) : named.value
  const valid = isIP(named.value) === 6 || isDnsNameOrIpv4(name)
  if (!valid) throw new ConfigError(named, 'a host name or an IP address, without scheme, port or brackets')
  return named.value.toLowerCase()
}

/** A DNS name for others to stand before: no address and no `*`. */
export function domain(named: NamedValue): string {
  if (!isDnsName(named.value)) {
    throw new ConfigError(named, 'a domain such as sallyport.example.org, without scheme, port or *')
  }
  return named.value.toLowerCase()
}

/** Whether a name may stand in a certificate as a DNS name. */
export function isDnsName(name: string): boolean {
  return dnsName.test(name) && !looksNumeric(name)
}

export function publicUrl(named: NamedValue): string {
  const url = URL.canParse(named.value) ? new URL(named.value) : undefined
  const isOrigin = url && url.pathname === '/' && !url.search && !url.hash && !url.username && !url.password
  if (url?.protocol !== 'https:' || !isOrigin) {
    throw new ConfigError(
      named,
      'an https address without a path, such as https://sallyport.example.org:8443',
    )
  }
  return url.origin
}

export function region(named: NamedValue): string {
  // The region becomes a label of host names and a part of every ARN and credential scope.
  return matching(named, /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'a region such as us-east-1')
}

export function accountId(named: NamedValue): string {
  return matching(named, /^\d{12}$/, 'an account id of 12 digits')
}

export function partition(named: NamedValue): string {
  return matching(named, /^aws(?:-[a-z]+)*$/, 'a partition such as aws, aws-cn or aws-us-gov')
}

/** A whole number of seconds, from 1 to an hour. */
export function seconds(named: NamedValue): number {
  const value = /^\d{1,4}$/.test(named.value) ? Number(named.value) : 0
  if (value < 1 || value > 3600) throw new ConfigError(named, 'a number of seconds from 1 to 3600')
  return value
}

export function sessionCount(named: NamedValue): number {
  const value = /^\d{1,7}$/.test(named.value) ? Number(named.value) : 0
  if (value < 1 || value > 1_000_000) throw new ConfigError(named, 'a number of sessions from 1 to 1000000')
  return value
}

export type ExpiredCredentials = 'let-run' | 'end'

export function expiredCredentials(named: NamedValue): ExpiredCredentials {
  const { value } = named
  if (value === 'let-run' || value === 'end') return value
  throw new ConfigError(named, 'let-run or end: what becomes of sessions whose credentials expire')
}

export function logLevel(named: NamedValue): LogLevel {
  const level = logLevels.find(known => known === named.value)
  if (level === undefined) throw new ConfigError(named, `one of ${logLevels.join(', ')}`)
  return level
}

function matching(named: NamedValue, pattern: RegExp, expected: string): string {
  if (!pattern.test(named.value)) throw new ConfigError(named, expected)
  return named.value
}

function isDnsNameOrIpv4(host: string): boolean {
  return isIP(host) === 4 || isDnsName(host)
}

// A name whose last label is a number is read as an (often wrong) IPv4 address: WHATWG URL, "ends in a number".
function looksNumeric(name: string): boolean {
  return /(?:^|\.)\d+$/.test(name)
}

function isLoopback(host: string): boolean {
  const family = isIP(host)
  if (family === 0) return host.toLowerCase() === 'localhost'
  return loopback.check(host, family === 4 ? 'ipv4' : 'ipv6')
}
