import { describe, expect, test } from 'vitest'
import { parseAddress } from './address.ts'
import { DestinationRules, readDestinationRules } from './destination-rules.ts'

const addressOf = (text: string) => {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(`${text} is no address`)
  return address
}
const denied = (text: string, rules = new DestinationRules()) => rules.denies(addressOf(text))

describe('by default a node connects nobody to', () => {
  test.each([
    ['AWS, OpenStack and most others: metadata', '169.254.169.254'],
    ['AWS: DNS', '169.254.169.253'],
    ['AWS: time', '169.254.169.123'],
    ['AWS: KMS for Windows', '169.254.169.250'],
    ['AWS: credentials of ECS tasks', '169.254.170.2'],
    ['AWS: credentials of EKS pods', '169.254.170.23'],
    ['AWS: metadata', 'fd00:ec2::254'],
    ['AWS: DNS', 'fd00:ec2::253'],
    ['AWS: time', 'fd00:ec2::123'],
    ['AWS: activation', 'fd00:ec2::240'],
    ['AWS: credentials of EKS pods', 'fd00:ec2::23'],
    ['Google: metadata', 'fd20:ce::254'],
    ['Azure: wire server', '168.63.129.16'],
    ['Alibaba: metadata', '100.100.100.200'],
    ['Alibaba: metadata', 'fd00:100::100:200'],
    ['Alibaba: DNS', '100.100.2.136'],
    ['Oracle: metadata', 'fd00:c1::a9fe:a9fe'],
    ['Oracle Classic: metadata', '192.0.0.192'],
    ['OpenStack: metadata', 'fe80::a9fe:a9fe'],
    ['Tencent: metadata', '169.254.0.23'],
    ['Scaleway: metadata', '169.254.42.42'],
    ['Scaleway: metadata', 'fd00:42::42'],
    ['Akamai: metadata', 'fd00:a9fe:a9fe::1'],
    ['Hetzner: DNS', '185.12.64.1'],
    ['Kubernetes: DNS of the node', '169.254.20.10'],
    ['link-local hosts of any interface', 'fe80::1%eth0'],
    ['metadata through NAT64', '64:ff9b::169.254.169.254'],
    ['metadata through 6to4', '2002:a9fe:a9fe::'],
    ['metadata as a mapped address', '::ffff:169.254.169.254'],
    ['Azure as a compatible address', '::168.63.129.16'],
  ])('%s, %s', (_, text) => {
    expect(denied(text)).toBe(true)
  })

  test.each([
    '127.0.0.1',
    '::1',
    '10.0.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '169.253.255.255',
    '169.255.0.0',
    '168.63.129.17',
    '100.100.100.201',
    'fd00:ec3::254',
    'fec0::1',
    '2001:db8::1',
    '64:ff9b::8.8.8.8',
  ])('%s, though, may be reached', text => {
    expect(denied(text)).toBe(false)
  })
})

describe('the operator', () => {
  test('denies addresses and ranges besides, through their translations too', () => {
    const rules = readDestinationRules({
      SALLYPORT_DENIED_DESTINATIONS: '10.0.0.0/8, 192.168.7.7\n2001:db8::/32',
    })
    for (const text of ['10.9.8.7', '192.168.7.7', '2001:db8:1::1', '64:ff9b::a00:1', '169.254.169.254']) {
      expect(denied(text, rules), text).toBe(true)
    }
    for (const text of ['11.0.0.1', '192.168.7.8', '2001:db9::1'])
      expect(denied(text, rules), text).toBe(false)
  })

  test('makes exceptions', () => {
    const rules = readDestinationRules({
      SALLYPORT_DENIED_DESTINATIONS: '10.0.0.0/8',
      SALLYPORT_ALLOWED_DESTINATIONS: '10.1.0.0/16,169.254.7.0/24',
    })
    for (const text of ['10.1.2.3', '169.254.7.9', '64:ff9b::10.1.2.3']) {
      expect(denied(text, rules), text).toBe(false)
    }
    for (const text of ['10.2.0.1', '169.254.169.254']) expect(denied(text, rules), text).toBe(true)
  })

  test('who denies all of one family has not denied the other', () => {
    const rules = readDestinationRules({ SALLYPORT_DENIED_DESTINATIONS: '::/0' })
    expect(denied('2001:db8::1', rules)).toBe(true)
    expect(denied('10.0.0.1', rules)).toBe(false)
    const other = readDestinationRules({ SALLYPORT_DENIED_DESTINATIONS: '0.0.0.0/0' })
    expect(denied('10.0.0.1', other)).toBe(true)
    expect(denied('2001:db8::1', other)).toBe(false)
  })

  test.each([
    '10.0.0.0/33',
    '10.0.0/8',
    'fd00::/129',
    '::ffff:10.0.0.0/104',
    'fe80::1%eth0',
    'db.internal',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '0x0a000001',
  ])('learns what is wrong with %s', range => {
    for (const name of ['SALLYPORT_DENIED_DESTINATIONS', 'SALLYPORT_ALLOWED_DESTINATIONS']) {
      expect(() => readDestinationRules({ [name]: `10.0.0.1, ${range}` })).toThrow(
        `${name}: '${range}' is neither an address nor a range such as 10.0.0.0/8 or fd00::/8`,
      )
    }
  })
})
