import { BlockList, isIP } from 'node:net'
import { type Address, parseAddress } from './address.ts'

/** A set of addresses. */
export class AddressRanges {
  /** Apart: a BlockList takes every IPv4 address for a part of `::/0`. */
  readonly #lists = { ipv4: new BlockList(), ipv6: new BlockList() }

  /** Takes addresses and CIDR ranges. Throws a RangeError that names the one it cannot read. */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) this.#add(range)
  }

  has(address: Address): boolean {
    return this.#lists[address.family].check(address.text, address.family)
  }

  #add(range: string): void {
    const [, text = '', prefix] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(range) ?? []
    const address = parseAddress(text)
    // Only what is written as it will be seen: a range of mapped addresses would count the wrong bits.
    const asSeen = address?.zone === '' && isIP(text) === (address.family === 'ipv4' ? 4 : 6)
    const bits = address?.family === 'ipv4' ? 32 : 128
    if (address === undefined || !asSeen || Number(prefix ?? bits) > bits) {
      throw new RangeError(`'${range}' is neither an address nor a range such as 10.0.0.0/8 or fd00::/8`)
    }
    const list = this.#lists[address.family]
    // `::` and `0.0.0.0` stand for this host as destinations, but not as the start of a range.
    if (prefix === undefined) list.addAddress(address.text, address.family)
    else list.addSubnet(text, Number(prefix), address.family)
  }
}
