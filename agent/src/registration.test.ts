import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { expect, test } from 'vitest'
import { readAgentConfig } from './config.ts'
import { register } from './registration.ts'

const [CA = '', ATTACKERS = ''] = rootCertificates.map(text => new X509Certificate(text).toString())
const caHash = `sha256:${createHash('sha256').update(new X509Certificate(CA).raw).digest('hex')}`

/** Registers with a server that answers so when it is asked for its CA. */
async function registerWith(status: number, ca: string) {
  const stateDirectory = await mkdtemp(join(tmpdir(), 'sallyport-registration-'))
  const server = createServer((request, response) => {
    if (request.method === 'GET') response.writeHead(status).end(ca)
    else response.end('{"InstanceId":"mi-0123456789abcdef0"}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const config = readAgentConfig({}, { stateDir: stateDirectory })
  const activation = { activationId: 'id', activationCode: 'code', region: 'us-east-1' }
  try {
    return await register(config, { endpoint, caHash, ...activation })
  } finally {
    server.close()
    server.closeAllConnections()
    await rm(stateDirectory, { recursive: true })
  }
}

test('only the CA that the hash is of gets pinned, whatever else comes with it', async () => {
  expect((await registerWith(200, CA + ATTACKERS)).ca).toBe(CA)
  await expect(registerWith(200, ATTACKERS + CA)).rejects.toThrow(/presents a CA with hash/)
})

test('a server that has no CA to pin', async () => {
  await expect(registerWith(404, 'no')).rejects.toThrow(
    /does not say what its CA is \(404\)\. If it has a public certificate, leave --ca-hash out/,
  )
})
