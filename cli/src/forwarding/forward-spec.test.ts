import { expect, test } from 'vitest'
import { parseForwardSpec, parseTarget } from './forward-spec.ts'

test.each([
  ['8080', { local: { port: 8080 }, port: 8080 }],
  ['56789:80', { local: { port: 56789 }, port: 80 }],
  [':80', { local: { port: 0 }, port: 80 }],
  ['0:80', { local: { port: 0 }, port: 80 }],
  ['5432:db.internal:5432', { local: { port: 5432 }, host: 'db.internal', port: 5432 }],
  [':db:5432', { local: { port: 0 }, host: 'db', port: 5432 }],
  ['1:10.0.0.1:2', { local: { port: 1 }, host: '10.0.0.1', port: 2 }],
  ['1:[fd00::1]:2', { local: { port: 1 }, host: 'fd00::1', port: 2 }],
  ['0.0.0.0:8080:80', { local: { port: 8080, bind: '0.0.0.0' }, port: 80 }],
  ['localhost::80', { local: { port: 0, bind: 'localhost' }, port: 80 }],
  ['*:8080:80', { local: { port: 8080, bind: '*' }, port: 80 }],
  ['[::1]:8080:80', { local: { port: 8080, bind: '::1' }, port: 80 }],
  ['[::1]:0:[::2]:80', { local: { port: 0, bind: '::1' }, host: '::2', port: 80 }],
  ['127.0.0.2:1:db:65535', { local: { port: 1, bind: '127.0.0.2' }, host: 'db', port: 65535 }],
])('%s', (text, expected) => {
  expect(parseForwardSpec(text)).toEqual(expected)
})

test.each([
  ['', '"" is no port'],
  ['http', '"http" is no port'],
  ['0', '"0" is no port'],
  ['65536', '"65536" is no port'],
  ['70000:80', '"70000" is no port'],
  ['80:', '"" is no port'],
  ['-1:80', '"-1" is no port'],
  ['1:2:3', '"1" is no address and "2" no host name'],
  ['1::3', 'a host is missing'],
  [':1:2:3', 'a host is missing'],
  ['a:b:c:d', '"b" is no port'],
  ['::1:80', 'a host is missing'],
  ['fd00::1:2:3', 'IPv6 addresses stand in brackets'],
  ['[::1', 'IPv6 addresses stand in brackets'],
  ['[::1]x:80:80', 'IPv6 addresses stand in brackets'],
])('%j is refused with the reason and examples', (text, reason) => {
  expect(() => parseForwardSpec(text)).toThrow(reason)
  expect(() => parseForwardSpec(text)).toThrow('For example:')
})

test('with a Unix socket only the far end is left to say', () => {
  expect(parseTarget('80', '/run/s')).toEqual({ local: { path: '/run/s' }, port: 80 })
  expect(parseTarget('db:80', '/s')).toEqual({ local: { path: '/s' }, host: 'db', port: 80 })
  expect(parseTarget('[::1]:80', '/s')).toEqual({ local: { path: '/s' }, host: '::1', port: 80 })
  expect(() => parseTarget('1:db:80', '/s')).toThrow('PORT or HOST:PORT')
  expect(() => parseTarget(':80', '/s')).toThrow('a host is missing')
})

test.each([
  ['db.internal:5432', '"db.internal" is no port. Did you mean 5432:db.internal:5432?'],
  ['localhost:80', '"localhost" is no port. Did you mean 80:localhost:80?'],
  ['10.0.0.7:80', '"10.0.0.7" is no port. Did you mean 80:10.0.0.7:80?'],
  ['[fd00::7]:80', '"fd00::7" is no port. Did you mean 80:[fd00::7]:80?'],
])('%s is short of a local port, and the answer says how it is written', (text, message) => {
  expect(() => parseForwardSpec(text)).toThrow(message)
})
