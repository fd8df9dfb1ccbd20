import { type Address, embeddedAddresses } from './address.ts'
import { AddressRanges } from './address-ranges.ts'

/**
 * Where a machine's own platform answers: metadata (which hands out credentials), DNS and time. Nobody may reach
 * them through a node unless its operator says so. A stock agent denies AWS's only (data-plane.md 21).
 */
const PLATFORM_ADDRESSES = [
  // Link-local: metadata of AWS, Google, Azure, Oracle, OpenStack, DigitalOcean, Hetzner, Tencent, Scaleway, Vultr, IBM,
  // Huawei, Yandex and others, credentials of ECS tasks and EKS pods, DNS and time of most. No link-local host is
  // a destination worth a hole in this.
  '169.254.0.0/16',
  'fe80::/10',
  // AWS: metadata, credentials, DNS, time
  'fd00:ec2::/32',
  // Google: metadata
  'fd20:ce::/32',
  // Azure: wire server, DNS
  '168.63.129.16',
  // Alibaba: metadata, DNS, time
  '100.100.100.200',
  'fd00:100::100:200',
  '100.100.2.136',
  '100.100.2.138',
  '100.100.3.1/30',
  '100.100.5.1/30',
  '100.100.61.88',
  // Oracle: metadata, also that of Classic
  'fd00:c1::a9fe:a9fe',
  '192.0.0.192',
  // Scaleway: metadata
  'fd00:42::42',
  // Akamai (Linode): metadata
  'fd00:a9fe:a9fe::1',
  // Tencent: DNS
  '183.60.82.98',
  '183.60.83.19',
  // IBM: DNS, time
  '161.26.0.6/31',
  '161.26.0.8',
  '161.26.0.10/31',
  // Huawei: DNS
  '100.125.1.250',
  '100.125.129.250',
  // Hetzner: DNS
  '185.12.64.1',
  '185.12.64.2',
  '2a01:4ff:ff00::add:1',
  '2a01:4ff:ff00::add:2',
  // DigitalOcean: DNS
  '67.207.67.2/31',
  // Vultr: DNS
  '108.61.10.10',
]

const DENIED = 'SALLYPORT_DENIED_DESTINATIONS'
const ALLOWED = 'SALLYPORT_ALLOWED_DESTINATIONS'

/** The operator's rules about where port sessions may connect to, whatever their documents say. */
export class DestinationRules {
  readonly #denied: AddressRanges
  readonly #exceptions: AddressRanges

  /** Ranges denied besides the platform's addresses, and ranges that are not denied after all. */
  constructor(denied: readonly string[] = [], exceptions: readonly string[] = []) {
    this.#denied = new AddressRanges([...PLATFORM_ADDRESSES, ...denied])
    this.#exceptions = new AddressRanges(exceptions)
  }

  /** An address is denied for any of the hosts that it may lead to. */
  denies(address: Address): boolean {
    return [address, ...embeddedAddresses(address)].some(
      each => this.#denied.has(each) && !this.#exceptions.has(each),
    )
  }
}

/** Reads both variables: lists of addresses and ranges, with commas or spaces between them. */
export function readDestinationRules(env: Readonly<Record<string, string | undefined>>): DestinationRules {
  return new DestinationRules(rangesIn(env, DENIED), rangesIn(env, ALLOWED))
}

function rangesIn(env: Readonly<Record<string, string | undefined>>, name: string): string[] {
  const ranges = (env[name] ?? '').split(/[\s,]+/).filter(range => range !== '')
  for (const range of ranges) {
    try {
      new AddressRanges([range])
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`)
    }
  }
  return ranges
}
