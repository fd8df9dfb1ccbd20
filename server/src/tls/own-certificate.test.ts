import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import pino from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Authority, openAuthority } from './authority.ts'
import { createCa, createLeaf } from './certificates.ts'
import { ListenerCertificates } from './listener-certificates.ts'
import { OwnCertificate } from './own-certificate.ts'

const logger = pino({ level: 'silent' })
let directory: string
let files: { certificate: string; key: string }
let publicCa: { certificatePem: string; keyPem: string }
let authority: Authority

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-own-'))
  files = { certificate: join(directory, 'chain.pem'), key: join(directory, 'key.pem') }
  publicCa = await createCa(Date.now())
  authority = await openAuthority({ directory: join(directory, 'tls'), hostNames: ['nodes.example.org'] })
})
afterEach(() => rm(directory, { recursive: true }))

async function bring(...names: string[]): Promise<void> {
  const { certificatePem, keyPem } = await createLeaf(publicCa, names, Date.now())
  await writeFile(files.certificate, certificatePem)
  await writeFile(files.key, keyPem)
}

async function listenerCertificates(): Promise<ListenerCertificates> {
  const ownCertificate = await OwnCertificate.open(files)
  return new ListenerCertificates({ authority, ownCertificate, logger })
}

/** The common name that a client with this CA is shown, asking for `servername`. */
async function shown(certificates: ListenerCertificates, servername: string, ca: string): Promise<string> {
  const server = createServer(certificates.options(), socket => {
    socket.on('error', () => {}).resume()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const socket = connect({ host: '127.0.0.1', port, ca, servername })
  try {
    await once(socket, 'secureConnect')
    return String(socket.getPeerCertificate().subject.CN)
  } finally {
    socket.destroy()
    server.close()
  }
}

test('it is shown for its names, and the certificate of the own CA for all others', async () => {
  await bring('ssm.example.org', '*.public.example.org')
  const certificates = await listenerCertificates()
  const { caPem } = authority
  expect(await shown(certificates, 'ssm.example.org', publicCa.certificatePem)).toBe('ssm.example.org')
  expect(await shown(certificates, 'a.public.example.org', publicCa.certificatePem)).toBe('ssm.example.org')
  expect(await shown(certificates, 'nodes.example.org', caPem)).toBe('nodes.example.org')
  expect(await shown(certificates, '', caPem)).toBe('nodes.example.org')
  await expect(shown(certificates, 'ssm.example.org', caPem)).rejects.toThrow()
  expect(['ssm.example.org', 'nodes.example.org', undefined].map(name => certificates.isOwn(name))).toEqual([
    true,
    false,
    false,
  ])
})

test('a replaced file is read again, and a half-replaced one is left alone until it is whole', async () => {
  await bring('old.example.org')
  const certificates = await listenerCertificates()
  const before = await OwnCertificate.open(files)
  expect(await before.reload()).toBe(false)

  const next = await createLeaf(publicCa, ['new.example.org'], Date.now())
  await writeFile(files.certificate, next.certificatePem)
  await certificates.refresh(Date.now())
  await expect(before.reload()).rejects.toThrow(`${files.key} is not the key of the first certificate in`)
  expect(await shown(certificates, 'old.example.org', publicCa.certificatePem)).toBe('old.example.org')

  await writeFile(files.key, next.keyPem)
  await certificates.refresh(Date.now())
  expect(await before.reload()).toBe(true)
  expect(await shown(certificates, 'new.example.org', publicCa.certificatePem)).toBe('new.example.org')
  expect(certificates.isOwn('old.example.org')).toBe(false)
})

test('what cannot be used stops the start, with the file and the reason', async () => {
  await expect(OwnCertificate.open(files)).rejects.toThrow(/cannot be read: ENOENT.*pem/)
  await bring('ssm.example.org')
  await writeFile(files.key, publicCa.keyPem)
  await expect(OwnCertificate.open(files)).rejects.toThrow(/is not the key of/)
  await writeFile(files.key, '-----BEGIN ENCRYPTED PRIVATE KEY-----\n')
  await expect(OwnCertificate.open(files)).rejects.toThrow(
    `${files.key} holds no unencrypted private key in PEM`,
  )
  await writeFile(files.certificate, 'nothing')
  await expect(OwnCertificate.open(files)).rejects.toThrow(`${files.certificate} holds no certificate in PEM`)
})
