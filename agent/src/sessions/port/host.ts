import { domainToASCII } from 'node:url'
import { type Address, parseAddress, parseSpelledAddress } from './address.ts'

/** Where a session is to connect to: an address, or a name that is yet to be resolved. */
export type Host = { name: string; addresses: Address[] | undefined }

const LOCALHOST = 'localhost'
const NAME = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/

/** Both of a node's own addresses, whatever its hosts file says. */
export const LOOPBACK = ['::1', '127.0.0.1'].flatMap(text => parseAddress(text) ?? [])

/** Reads a host as a person writes it; none means the node itself (data-plane.md 15.1). Throws a RangeError. */
export function readHost(given: string): Host {
  if (given === '' || readName(given) === LOCALHOST) return { name: LOCALHOST, addresses: LOOPBACK }
  // Full-width digits and dots are digits and dots to a resolver.
  const ascii = /^[\x21-\x7e]*$/.test(given) ? given : domainToASCII(given)
  const address = parseSpelledAddress(ascii)
  if (address !== undefined) return { name: address.text, addresses: [address] }
  const name = readName(ascii)
  if (name === undefined) throw new RangeError(`'${given}' is neither a host name nor an address`)
  // With its last dot, if it has one: that keeps search domains out of it.
  return { name: ascii.toLowerCase(), addresses: undefined }
}

/** A host name in the spelling that names are compared in, undefined if it cannot be one. */
export function readName(given: string): string | undefined {
  const name = (/^[\x21-\x7e]*$/.test(given) ? given : domainToASCII(given)).toLowerCase().replace(/\.$/, '')
  return NAME.test(name) ? name : undefined
}
