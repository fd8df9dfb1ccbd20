import { once } from 'node:events'
import { mkdtemp, readdir, readFile, stat } from 'node:fs/promises'
import { type AddressInfo, createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Stack, startStack } from './stack.ts'

const NAMES = ['sallyport.example.org', '*.ssm.example.org', '192.0.2.7', '2001:db8::7']

let stack: Stack

beforeAll(async () => {
  stack = await startStack({ nodes: 0, serverArguments: NAMES.flatMap(name => ['--host-name', name]) })
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

type Options = Pick<tls.ConnectionOptions, 'minVersion' | 'maxVersion' | 'servername'>

/** Shakes hands as strictly as any client; rejects when that fails. */
async function handshake(port: number, options: Options = {}, ca = stack.caFile) {
  const socket = tls.connect({
    host: '127.0.0.1',
    port,
    servername: 'localhost',
    ca: await readFile(ca),
    // At its default level OpenSSL 3 has no cipher for the old versions; this client shall be willing.
    ciphers: 'DEFAULT:@SECLEVEL=0',
    ...options,
  })
  try {
    await once(socket, 'secureConnect')
    return { version: socket.getProtocol(), certificate: socket.getPeerX509Certificate() }
  } finally {
    socket.destroy()
  }
}

describe('versions', () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`${version} is spoken`, async () => {
      const agreed = await handshake(stack.httpsPort, { minVersion: version, maxVersion: version })
      expect(agreed.version).toBe(version)
    })
  }

  for (const version of ['TLSv1', 'TLSv1.1'] as const) {
    test(`${version} is refused`, async () => {
      const old = { minVersion: version, maxVersion: version }
      await using willing = await lenientServer()
      expect((await handshake(willing.port, old)).version).toBe(version)
      await expect(handshake(stack.httpsPort, old)).rejects.toThrow(/protocol version/)
    })
  }
})

/** A server that speaks every version, with the same certificate: what the client is able to. */
async function lenientServer() {
  const [cert, key] = await Promise.all(
    ['server.pem', 'server-key.pem'].map(name => readFile(join(stack.dataDirectory, 'tls', name))),
  )
  const server = tls.createServer({ cert, key, minVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => void server.close(),
  }
}

test('the certificate is for the names and addresses that were given, and for this machine', async () => {
  const { certificate } = await handshake(stack.httpsPort)
  for (const name of ['sallyport.example.org', 'node.ssm.example.org', 'localhost']) {
    expect(certificate?.checkHost(name), name).toBeDefined()
  }
  for (const address of ['192.0.2.7', '2001:db8::7', '127.0.0.1', '::1']) {
    expect(certificate?.checkIP(address), address).toBeDefined()
  }
  for (const stranger of ['example.org', 'other.example.org', 'a.node.ssm.example.org']) {
    expect(certificate?.checkHost(stranger), stranger).toBeUndefined()
  }
  await expect(handshake(stack.httpsPort, { servername: 'other.example.org' })).rejects.toThrow(/altnames/)
})

test('the CA stays when the server starts again, also under further names', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-e2e-'))
  await using first = new Stack(directory)
  await first.startServer()
  const ca = await readFile(first.caFile, 'utf8')
  await first.server.stop()
  await first.startServer()
  expect(await readFile(first.caFile, 'utf8')).toBe(ca)
  await expect(handshake(first.httpsPort, { servername: 'new.example.org' }, first.caFile)).rejects.toThrow(
    /altnames/,
  )
  await first.server.stop()

  await using second = new Stack(directory, { serverArguments: ['--host-name', 'new.example.org'] })
  await second.startServer()
  expect(await readFile(second.caFile, 'utf8')).toBe(ca)
  expect(second.caHash).toBe(first.caHash)
  await handshake(second.httpsPort, { servername: 'new.example.org' }, first.caFile)
})

describe('without TLS', () => {
  test('there is an answer on the loopback address only', async () => {
    for (const address of ['0.0.0.0:0', '[::]:0', '192.0.2.7:8080']) {
      const directory = join(stack.directory, 'never')
      const refused = await stack.sallyport('server', '--http-listen', address, '--data-dir', directory)
      expect(refused.code, address).toBe(2)
      expect(refused.stderr).toContain(`--http-listen is "${address}"; expected a loopback address`)
      await expect(stat(directory)).rejects.toThrow('ENOENT')
    }
    expect(stack.httpEndpoint).toContain('127.0.0.1')
    expect((await fetch(`${stack.httpEndpoint}/healthz`)).status).toBe(200)
  })

  test('the port for HTTPS says nothing', async () => {
    const socket = createConnection({ host: '127.0.0.1', port: stack.httpsPort })
    socket.end('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const answer = await socket.toArray().catch(() => [])
    expect(Buffer.concat(answer).toString('latin1')).not.toMatch(/HTTP|ok/)
  })
})

test('whatever the server keeps is for its user alone', async () => {
  const entries = await readdir(stack.dataDirectory, { recursive: true })
  const modes = await Promise.all(
    ['.', ...entries].map(async name => {
      const found = await stat(join(stack.dataDirectory, name))
      return { name, mode: (found.mode & 0o777).toString(8), expected: found.isDirectory() ? '700' : '600' }
    }),
  )
  expect(modes.map(({ name }) => name)).toContain('tls/ca-key.pem')
  for (const { name, mode, expected } of modes)
    expect(mode, name).toBe(name === 'tls/ca.pem' ? mode : expected)
})
