import { describe, expect, test } from 'vitest'
import { parseAddress } from './address.ts'
import { AllowedDestinations } from './allowed-destinations.ts'

const addressOf = (text: string) => {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(`${text} is no address`)
  return address
}

describe('allowedDestinations of a document', () => {
  test.each([
    ['db.internal:5432', 'db.internal', '10.0.0.1', 5432, true],
    ['db.internal:5432', 'db.internal', '10.0.0.1', 5433, false],
    ['DB.Internal.:5432', 'db.internal', '10.0.0.1', 5432, true],
    ['db.internal', 'db.internal', '10.0.0.1', 1, true],
    ['db.internal:*', 'db.internal', '10.0.0.1', 65535, true],
    ['db.internal:*', 'xdb.internal', '10.0.0.1', 1, false],
    ['db.internal:*', 'db.internal.evil.org', '10.0.0.1', 1, false],
    ['*.internal:5432', 'db.internal', '10.0.0.1', 5432, true],
    ['*.internal:5432', 'a.b.internal', '10.0.0.1', 5432, true],
    ['*.internal:5432', 'internal', '10.0.0.1', 5432, false],
    ['*.internal:5432', 'xinternal', '10.0.0.1', 5432, false],
    ['10.0.0.0/8:*', 'anything.org', '10.255.0.1', 80, true],
    ['10.0.0.0/8:*', 'anything.org', '11.0.0.1', 80, false],
    ['10.0.0.0/8', '10.0.0.1', '10.0.0.1', 80, true],
    ['10.0.0.7:80', '10.0.0.7', '10.0.0.7', 80, true],
    ['[fd00::/8]:443', 'x.org', 'fd00::1', 443, true],
    ['[fd00::1]:443', 'fd00::1', 'fd00::1', 443, true],
    ['[fd00::1]:443', 'fd00::1', 'fd00::1', 80, false],
    ['fd00::/8:443', 'x.org', 'fd00::1', 443, true],
    ['fd00::1', 'fd00::1', 'fd00::1', 9, true],
    ['fd00::1:443', 'fd00::1', 'fd00::1', 443, false],
    ['::/0', 'x.org', '10.0.0.1', 80, false],
    ['*:443', 'x.org', '10.0.0.1', 443, true],
    ['*:443', 'x.org', '10.0.0.1', 80, false],
    ['localhost:80', 'localhost', '127.0.0.1', 80, true],
    ['localhost:80', '127.0.0.1', '127.0.0.1', 80, true],
    ['localhost:80', '::1', '::1', 80, true],
    ['localhost:80', 'x.org', '10.0.0.1', 80, false],
    ['127.0.0.1:80', 'localhost', '127.0.0.1', 80, true],
    ['127.0.0.1:80', 'localhost', '::1', 80, false],
    ['bücher.example', 'xn--bcher-kva.example', '10.0.0.1', 80, true],
  ])('%s for %s at %s, port %i: %s', (entry, name, text, port, allowed) => {
    const list = new AllowedDestinations([entry])
    expect(list.allows(name, addressOf(text), port)).toBe(allowed)
    if (allowed) expect(list.mayAllow(name, port)).toBe(true)
  })

  test('any entry will do, and an empty list allows nothing', () => {
    const list = new AllowedDestinations(['a.org:1', '10.0.0.0/8:2'])
    expect(list.allows('x.org', addressOf('10.0.0.1'), 2)).toBe(true)
    expect(list.allows('a.org', addressOf('11.0.0.1'), 2)).toBe(false)
    const none = new AllowedDestinations([])
    expect(none.mayAllow('localhost', 22)).toBe(false)
    expect(none.allows('localhost', addressOf('127.0.0.1'), 22)).toBe(false)
  })

  test.each([
    '',
    ':80',
    'db:0',
    'db:65536',
    'db:http',
    'db:',
    'db:80:80',
    '10.0.0.0/33:80',
    '10.0.0.999',
    '1.2.3',
    'db internal:80',
    '[db.internal]:80',
    '[fd00::1',
    'fd00::1]:80',
    '*internal:80',
    'db.*:80',
    '*.10:80',
    'db/24',
    '::ffff:10.0.0.1',
    'http://db.internal:80',
    'db..internal',
    '10.0.0.0/8:',
  ])("'%s' fails the session", entry => {
    expect(() => new AllowedDestinations(['ok.org:1', entry])).toThrow(
      `'${entry}' in allowedDestinations of the session document is not a destination`,
    )
  })

  test.each([['a.org:1'], [{}], [[1]], [true], [Array(1001).fill('a.org')]])(
    'so does what is no list',
    list => {
      expect(() => new AllowedDestinations(list)).toThrow('allowedDestinations of the session document')
    },
  )
})
