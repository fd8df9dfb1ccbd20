import { describe, expect, test } from 'vitest'
import { embeddedAddresses, parseAddress, parseSpelledAddress } from './address.ts'

const spelled = (host: string) => {
  const address = parseSpelledAddress(host)
  return address && address.text + address.zone
}

describe('a spelling of an address', () => {
  test.each([
    // inet_aton(3), each checked against glibc's getaddrinfo
    ['169.254.169.254', '169.254.169.254'],
    ['2852039166', '169.254.169.254'],
    ['0xa9fea9fe', '169.254.169.254'],
    ['0XA9FEA9FE', '169.254.169.254'],
    ['025177524776', '169.254.169.254'],
    ['0xa9.0xfe.0xa9.0xfe', '169.254.169.254'],
    ['0251.0376.0251.0376', '169.254.169.254'],
    ['0251.254.0xa9.254', '169.254.169.254'],
    ['169.254.43518', '169.254.169.254'],
    ['169.16689662', '169.254.169.254'],
    ['00000000000000251.254.169.254', '169.254.169.254'],
    ['169.254.169.254.', '169.254.169.254'],
    ['[169.254.169.254]', '169.254.169.254'],
    ['127.1', '127.0.0.1'],
    ['0x7f.1', '127.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['4294967295', '255.255.255.255'],
    ['1.2.65535', '1.2.255.255'],
    // what Linux connects to for "no address"
    ['0', '127.0.0.1'],
    ['0x0', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.1'],
    ['::', '::1'],
    ['0:0:0:0:0:0:0:0', '::1'],
    ['::ffff:0.0.0.0', '127.0.0.1'],
    // IPv6
    ['[::1]', '::1'],
    ['FD00:EC2::254', 'fd00:ec2::254'],
    ['fd00:0ec2:0000:0:0:0:0:0254', 'fd00:ec2::254'],
    ['::ffff:169.254.169.254', '169.254.169.254'],
    ['::FFFF:A9FE:A9FE', '169.254.169.254'],
    ['0:0:0:0:0:ffff:169.254.169.254', '169.254.169.254'],
    ['[::ffff:a9fe:a9fe]', '169.254.169.254'],
    ['::169.254.169.254', '::a9fe:a9fe'],
    ['64:ff9b::169.254.169.254', '64:ff9b::a9fe:a9fe'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
    ['FE80::0001%2', 'fe80::1%2'],
  ])('%s is %s', (host, text) => {
    expect(spelled(host)).toBe(text)
  })

  test.each(['db.internal', 'a', '1.2.3.4.example.org', '1.2.3.4.com.', 'x1', '0xyz', 'deadbeef', '1-2'])(
    '%s is none, but a name',
    host => {
      expect(spelled(host)).toBeUndefined()
    },
  )

  test.each([
    '256.1.1.1',
    '1.2.3.999',
    '1.2.65536',
    '4294967296',
    '0x100000000',
    '08.8.8.8',
    '1.2.3.4.5',
    'example.1',
    '1..2',
    '[db.internal]',
    '::1::',
    'db.internal:22',
    '127.0.0.1:22',
    '12345::1::2',
  ])('%s is refused: neither address nor name', host => {
    expect(() => spelled(host)).toThrow(`'${host}' is no address`)
  })
})

describe('behind an IPv6 address there may be an IPv4 one', () => {
  test.each([
    ['compatible', '::169.254.169.254'],
    ['SIIT', '::ffff:0:169.254.169.254'],
    ['NAT64', '64:ff9b::a9fe:a9fe'],
    ['local NAT64 as /96', '64:ff9b:1::a9fe:a9fe'],
    ['local NAT64 as /96 elsewhere', '64:ff9b:1:2:3:4:a9fe:a9fe'],
    ['local NAT64 as /48', '64:ff9b:1:a9fe:a9:fe00::'],
    ['6to4', '2002:a9fe:a9fe::1'],
    ['Teredo, its client', '2001:0:4136:e378:8000:63bf:5601:5601'],
    ['Teredo, its server', '2001:0:a9fe:a9fe::'],
    ['ISATAP', '2001:db8::5efe:169.254.169.254'],
    ['ISATAP, global', '2001:db8::200:5efe:169.254.169.254'],
  ])('%s: %s', (_, text) => {
    const address = parseAddress(text)
    const embedded = address && embeddedAddresses(address).map(each => each.text)
    expect(embedded).toContain('169.254.169.254')
  })

  test.each(['::1', '::', '2001:db8::1', 'fd00:ec2::254', 'fe80::1', '64:ff9b::'])('not behind %s', text => {
    const address = parseAddress(text)
    expect(address && embeddedAddresses(address)).toEqual([])
  })
})
