import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkServerIdentity, connect, createServer, type PeerCertificate } from 'node:tls'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Authority, AuthorityError, openAuthority } from './authority.ts'
import { endpointNames } from './endpoint-names.ts'

const DAY_MS = 86_400_000
let directory: string

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'sallyport-tls-')), 'tls')
})
afterEach(() => rm(join(directory, '..'), { recursive: true }))

const open = (hostNames: string[] = [], now?: number) =>
  openAuthority({ directory, hostNames, ...(now === undefined ? {} : { now }) })

test('a client that trusts the CA reaches the server by name and by address, and no other name', async () => {
  const authority = await open(['ssm.example.org', '192.0.2.7', '*.node.example.org'])
  for (const name of [
    'ssm.example.org',
    '192.0.2.7',
    'a.node.example.org',
    'localhost',
    '127.0.0.1',
    '::1',
  ]) {
    expect((await handshake(authority, name)).subject.CN).toBe('ssm.example.org')
  }
  await expect(handshake(authority, 'other.example.org')).rejects.toMatchObject({
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  })
  await expect(handshake(authority, '192.0.2.8')).rejects.toMatchObject({
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  })
})

test('a client that trusts another CA refuses the server', async () => {
  const authority = await open()
  const other = await openAuthority({ directory: join(directory, 'other'), hostNames: [] })
  await expect(handshake(authority, 'localhost', other.caPem)).rejects.toMatchObject({
    code: expect.stringMatching(/SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/),
  })
})

test('the fingerprint is the digest of the CA certificate', async () => {
  const authority = await open()
  const ca = new X509Certificate(authority.caPem)
  expect(authority.caFingerprint).toBe(`sha256:${ca.fingerprint256.replaceAll(':', '').toLowerCase()}`)
  expect(ca.ca).toBe(true)
  expect(ca.subject).toMatch(/^CN=Sallyport CA [0-9a-f]{8}$/)
})

test('keys are private and nothing temporary is left', async () => {
  await open()
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
  const files = await readdir(directory)
  expect(files.sort()).toEqual(['ca-key.pem', 'ca.pem', 'server-key.pem', 'server.pem'])
  for (const file of files) expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600)
})

test('a second start changes nothing', async () => {
  const first = await open(['ssm.example.org'])
  const second = await open(['ssm.example.org'])
  expect({ ...second, renewIfNeeded: 0 }).toEqual({ ...first, renewIfNeeded: 0 })
})

test('a new name gives a new leaf under the same CA', async () => {
  const first = await open()
  const second = await open(['new.example.org'])
  expect(second.serverCertificatePem).not.toBe(first.serverCertificatePem)
  expect(second.caPem).toBe(first.caPem)
  await handshake(second, 'new.example.org')
})

test('a name that is no longer wanted is no longer in the leaf', async () => {
  const first = await open(['old.example.org', 'ssm.example.org'])
  await handshake(first, 'old.example.org')
  const second = await open(['ssm.example.org'])
  await handshake(second, 'ssm.example.org', first.caPem)
  await expect(handshake(second, 'old.example.org')).rejects.toThrow(/altnames/)
})

test('with a domain it is the server of every service, and of nothing else there', async () => {
  const authority = await open(endpointNames('corp.example.org', 'eu-test-1'))
  for (const name of [
    'corp.example.org',
    'ssm.corp.example.org',
    'ec2-instance-connect.corp.example.org',
    'ssm.eu-test-1.corp.example.org',
    'ssmmessages.eu-test-1.corp.example.org',
    'ec2messages.eu-test-1.corp.example.org',
    'a-bucket.s3.corp.example.org',
    'a-bucket.s3.eu-test-1.corp.example.org',
  ]) {
    await handshake(authority, name)
  }
  for (const name of ['www.corp.example.org', 'ssm.us-east-1.corp.example.org', 'ssm.example.org']) {
    await expect(handshake(authority, name), name).rejects.toThrow(/altnames/)
  }
})

test('the leaf is renewed within 30 days of its end, at start or while running', async () => {
  const now = Date.now()
  const authority = await open([], now - 340 * DAY_MS)
  const before = authority.serverCertificatePem
  expect(await authority.renewIfNeeded(now - 340 * DAY_MS)).toBe(false)
  expect(await authority.renewIfNeeded(now)).toBe(true)
  expect(authority.serverCertificatePem).not.toBe(before)
  expect(await authority.renewIfNeeded(now)).toBe(false)
  await handshake(authority, 'localhost')
  expect((await open([], now)).serverCertificatePem).toBe(authority.serverCertificatePem)
  expect((await open([], now + 340 * DAY_MS)).serverCertificatePem).not.toBe(authority.serverCertificatePem)
})

test('a leaf of another CA, without its key, or damaged is replaced', async () => {
  const first = await open()
  const other = await openAuthority({ directory: join(directory, 'other'), hostNames: [] })
  await writeFile(join(directory, 'server.pem'), other.serverCertificatePem)
  await writeFile(join(directory, 'server-key.pem'), other.serverKeyPem)
  await handshake(await open(), 'localhost', first.caPem)
  await rm(join(directory, 'server-key.pem'))
  await handshake(await open(), 'localhost', first.caPem)
  await writeFile(join(directory, 'server.pem'), 'not a certificate')
  await handshake(await open(), 'localhost', first.caPem)
})

test('a CA whose key is lost stops the start instead of being replaced', async () => {
  const { caPem } = await open()
  await rm(join(directory, 'ca-key.pem'))
  await expect(open()).rejects.toThrow(AuthorityError)
  expect(await readFile(join(directory, 'ca.pem'), 'utf8')).toBe(caPem)
})

/** Connects as `name` without asking DNS for it, and answers with the certificate that the server showed. */
async function handshake(authority: Authority, name: string, ca = authority.caPem): Promise<PeerCertificate> {
  const server = createServer(
    { cert: authority.serverCertificatePem, key: authority.serverKeyPem },
    socket => {
      socket.on('error', () => {}).resume()
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const socket = connect({ host: '127.0.0.1', port, ca, rejectUnauthorized: true, ...identity(name) })
  try {
    await once(socket, 'secureConnect')
    return socket.getPeerCertificate()
  } finally {
    socket.destroy()
    server.close()
  }
}

function identity(name: string) {
  // An address is never sent as server name (RFC 6066, 3); Node then checks the certificate against `host`.
  return /^[\d.]+$|:/.test(name)
    ? {
        checkServerIdentity: (_: string, certificate: PeerCertificate) =>
          checkServerIdentity(name, certificate),
      }
    : { servername: name }
}
