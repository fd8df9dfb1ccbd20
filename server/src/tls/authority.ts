import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { isDnsName } from '../config-values.ts'
import { hasCode, makePrivateDirectory, writePrivateFile } from '../store/private-file.ts'
import { type CertificateAndKey, createCa, createLeaf } from './certificates.ts'

/** The server's own certification authority and the certificate that the listener shows. */
export type Authority = {
  readonly caPem: string
  /** `sha256:` and the hex digest of the CA certificate's DER; what a join command pins. */
  readonly caFingerprint: string
  /** Leaf, then CA. Changes when renewIfNeeded answers true, as does the key. */
  readonly serverCertificatePem: string
  readonly serverKeyPem: string
  /** Issues a new leaf when the present one ends within 30 days of `now` (epoch ms); true when it did. */
  renewIfNeeded(now: number): Promise<boolean>
}

/** The stored authority cannot be used and must not be replaced behind the back of agents that pinned it. */
export class AuthorityError extends Error {
  override readonly name = 'AuthorityError'
}

const RENEW_BEFORE_MS = 30 * 86_400_000

/**
 * Loads the authority from `directory`, or makes it at the first start. The leaf is issued anew when it is about
 * to end, is for other names, or does not belong to the CA. Throws AuthorityError when the CA's files are damaged.
 */
export async function openAuthority(options: {
  directory: string
  hostNames: string[]
  now?: number
}): Promise<Authority> {
  const { directory, hostNames, now = Date.now() } = options
  await makePrivateDirectory(directory)
  const ca = (await loadCa(directory)) ?? (await newCa(directory, now))
  const names = certificateNames(hostNames)
  const leafFiles = pairFiles(directory, 'server')
  let leaf = await readPair(leafFiles)
  const renewIfNeeded = async (at: number): Promise<boolean> => {
    if (leaf !== undefined && isUsable(leaf, ca, names, at)) return false
    const next = await createLeaf(ca, names, at)
    await writePair(leafFiles, next)
    leaf = next
    return true
  }
  await renewIfNeeded(now)
  const current = (): CertificateAndKey => {
    if (leaf === undefined) throw new AuthorityError('no server certificate was issued')
    return leaf
  }
  return {
    caPem: ca.certificatePem,
    caFingerprint: fingerprint(ca.certificatePem),
    get serverCertificatePem() {
      return current().certificatePem + ca.certificatePem
    },
    get serverKeyPem() {
      return current().keyPem
    },
    renewIfNeeded,
  }
}

type PairFiles = { certificate: string; key: string }

function pairFiles(directory: string, name: 'ca' | 'server'): PairFiles {
  return { certificate: join(directory, `${name}.pem`), key: join(directory, `${name}-key.pem`) }
}

async function loadCa(directory: string): Promise<CertificateAndKey | undefined> {
  const files = pairFiles(directory, 'ca')
  // The certificate is written last: without it nobody can have pinned this CA.
  if ((await readOptional(files.certificate)) === undefined) return undefined
  const ca = await readPair(files)
  if (ca === undefined || !isPair(ca)) {
    throw new AuthorityError(
      `${files.certificate} exists but ${files.key} is missing or is not its key. Restore both from a backup; ` +
        'or remove both to make a new CA, which every agent and client must then be told to trust.',
    )
  }
  return ca
}

async function newCa(directory: string, now: number): Promise<CertificateAndKey> {
  const ca = await createCa(now)
  await writePair(pairFiles(directory, 'ca'), ca)
  return ca
}

async function readPair(files: PairFiles): Promise<CertificateAndKey | undefined> {
  const [certificatePem, keyPem] = await Promise.all([
    readOptional(files.certificate),
    readOptional(files.key),
  ])
  return certificatePem === undefined || keyPem === undefined ? undefined : { certificatePem, keyPem }
}

// A crash between the two leaves a pair that does not match, which isPair finds at the next start.
async function writePair(files: PairFiles, pair: CertificateAndKey): Promise<void> {
  await writePrivateFile(files.key, pair.keyPem)
  await writePrivateFile(files.certificate, pair.certificatePem)
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Whether the key is that of the (first) certificate. */
export function isPair(pair: CertificateAndKey): boolean {
  try {
    return new X509Certificate(pair.certificatePem).checkPrivateKey(createPrivateKey(pair.keyPem))
  } catch {
    // Not PEM, or not a key: as useless as a key of something else.
    return false
  }
}

function isUsable(leaf: CertificateAndKey, ca: CertificateAndKey, names: string[], now: number): boolean {
  if (!isPair(leaf)) return false
  const certificate = new X509Certificate(leaf.certificatePem)
  const issuer = new X509Certificate(ca.certificatePem)
  return (
    certificate.checkIssued(issuer) &&
    certificate.verify(issuer.publicKey) &&
    Date.parse(certificate.validFrom) <= now &&
    Date.parse(certificate.validTo) - now > RENEW_BEFORE_MS &&
    // As many names and each of them: a name that is no longer configured goes, too.
    certificate.subjectAltName?.split(', ').length === names.length &&
    names.every(name => covers(certificate, name))
  )
}

function covers(certificate: X509Certificate, name: string): boolean {
  return (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined
}

function certificateNames(hostNames: string[]): string[] {
  // A machine may be called anything; a name that no client could ask for has no place in a certificate.
  const machine = hostname().toLowerCase()
  const own = isDnsName(machine) ? [machine] : []
  return [...new Set([...hostNames, ...own, 'localhost', '127.0.0.1', '::1'])]
}

function fingerprint(certificatePem: string): string {
  const der = new X509Certificate(certificatePem).raw
  return `sha256:${createHash('sha256').update(der).digest('hex')}`
}
