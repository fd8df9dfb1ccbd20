import { BlockList, isIP } from 'node:net'
import { AwsError } from '@sallyport/protocol/aws/error'
import { SessionType } from '@sallyport/protocol/handshake'
import { isObject, replaceReferences } from '../documents/content.ts'
import type { SessionDocument } from '../documents/session-documents.ts'

/** What a session's parameters are bound to, in the document that it runs by. */
export type BoundParameters = Readonly<Record<string, string | readonly string[]>>

/** Where the connections of a port session go. */
export type Destination = {
  /** As the document and its parameters have it: what the agent is told. */
  given: string
  /** As policies compare it: `sallyport:DestinationHost`. */
  host: string
  port: number
}

const LOCALHOST = 'localhost'
const MAXIMUM_PORT = 65_535
/** Whatever else it may be, it is one word: no resolver takes part of it for something else. */
const ONE_WORD = /^[^\s\p{C}{}]{1,255}$/u

/** Where a node reaches itself. On Linux the unspecified address does, too. */
const own = new BlockList()
own.addSubnet('127.0.0.0', 8, 'ipv4')
own.addAddress('0.0.0.0', 'ipv4')
own.addAddress('::1', 'ipv6')
own.addAddress('::', 'ipv6')

/**
 * The destination of a session by a document of type `Port`, undefined for any other. Throws `InvalidParameters` for a
 * host or a port that policies could take for another one than the agent does: Go's dialler, for one, knows `ssh` as a
 * port.
 */
export function destinationOf(
  { sessionType, properties }: SessionDocument,
  parameters: BoundParameters,
): Destination | undefined {
  if (sessionType !== SessionType.port || !isObject(properties)) return undefined
  const given = textOf(properties.host, parameters) || LOCALHOST
  const port = textOf(properties.portNumber, parameters)
  if (!ONE_WORD.test(given)) throw invalid(`${JSON.stringify(given)} is not a host name or an address.`)
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > MAXIMUM_PORT) {
    throw invalid(`${JSON.stringify(port)} is not a port from 1 to ${MAXIMUM_PORT}.`)
  }
  return { given, host: comparable(given), port: Number(port) }
}

function textOf(property: unknown, parameters: BoundParameters): string {
  if (typeof property === 'number') return String(property)
  if (typeof property !== 'string') return ''
  return replaceReferences(property, (name, reference) => {
    const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined
    return value === undefined ? reference : typeof value === 'string' ? value : JSON.stringify(value)
  })
}

/** One spelling for each host: 0x7f.1, full-width digits, a last dot and IPv4 inside of IPv6 make no difference. */
function comparable(given: string): string {
  const text = isIP(given) === 6 ? `http://[${given}]/` : `http://${given}/`
  // Whatever is more than a host to a URL is none to a resolver.
  const plain = isIP(given) === 6 || !/[:/?#@\\%]/.test(given)
  const host = plain && URL.canParse(text) ? new URL(text).hostname : given.toLowerCase()
  const name = host.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
  const address = unmapped(name)
  const family = isIP(address)
  if (family === 0) return address
  return own.check(address, family === 4 ? 'ipv4' : 'ipv6') ? LOCALHOST : address
}

/** RFC 4291 2.5.5.2, as a URL writes it: `::ffff:7f00:1`. */
function unmapped(address: string): string {
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address) ?? []
  if (high === undefined || low === undefined) return address
  const bits = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return bits.flatMap(part => [part >> 8, part & 0xff]).join('.')
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidParameters', `The parameters do not fit: ${message}`)
}
