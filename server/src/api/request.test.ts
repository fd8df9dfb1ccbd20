import { expect, test } from 'vitest'
import { type ApiRequest, factsOf } from './request.ts'

const NOW = Date.UTC(2026, 0, 31)

const request = (parts: Partial<ApiRequest>): ApiRequest => ({
  id: 'request-0',
  method: 'POST',
  path: '/',
  query: '',
  headers: [],
  body: new Uint8Array(0),
  origin: 'https://localhost',
  remoteAddress: '192.0.2.7',
  secure: true,
  gone: new AbortController().signal,
  ...parts,
})

test('facts are what the connection and the headers say', () => {
  const headers = [
    ['User-Agent', 'aws-cli/2.17'],
    ['Referer', 'https://console.example'],
  ] as const
  expect(factsOf(request({ headers }), NOW)).toEqual({
    now: NOW,
    sourceIp: '192.0.2.7',
    secureTransport: true,
    userAgent: 'aws-cli/2.17',
    referer: 'https://console.example',
  })
  expect(factsOf(request({ secure: false }), NOW)).toEqual({
    now: NOW,
    sourceIp: '192.0.2.7',
    secureTransport: false,
    userAgent: '',
  })
})

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::FFFF:10.0.0.1', '10.0.0.1'],
  ['2001:db8::7', '2001:db8::7'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::1', '::1'],
  ['', ''],
])('the address %s is %s to policies', (remoteAddress, sourceIp) => {
  expect(factsOf(request({ remoteAddress }), NOW).sourceIp).toBe(sourceIp)
})

test('no header says where a request comes from, or how', () => {
  const headers = [
    ['X-Forwarded-For', '10.0.0.1'],
    ['Forwarded', 'for=10.0.0.1;proto=https'],
    ['X-Forwarded-Proto', 'https'],
    ['X-Real-IP', '10.0.0.1'],
  ] as const
  const facts = factsOf(request({ headers, secure: false }), NOW)
  expect(facts).toMatchObject({ sourceIp: '192.0.2.7', secureTransport: false })
})

test('a user agent is cut where nobody reads on', () => {
  const headers = [['user-agent', 'x'.repeat(8_000)]] as const
  expect(factsOf(request({ headers }), NOW).userAgent).toHaveLength(512)
})
