import { randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

export type CertificateAndKey = { certificatePem: string; keyPem: string }

const DAY_MS = 86_400_000
const CA_LIFETIME_MS = 3650 * DAY_MS
const LEAF_LIFETIME_MS = 365 * DAY_MS
// Certificates begin in the past, because clocks of machines without time service run behind.
const BACKDATE_MS = DAY_MS
// X.520 ub-common-name (RFC 5280, appendix A).
const MAX_COMMON_NAME = 64
const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

cryptoProvider.set(webcrypto)

/** A self-signed EC P-256 authority for ten years from `now` (epoch ms). It signs leaves only. */
export async function createCa(now: number): Promise<CertificateAndKey> {
  const keys = await newKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [`Sallyport CA ${randomBytes(4).toString('hex')}`] }],
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + CA_LIFETIME_MS),
    keys,
    signingAlgorithm: ecdsa,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificatePem: pem(certificate), keyPem: await exportKey(keys.privateKey) }
}

/** A server certificate (EC P-256, one year, never beyond its CA) for DNS names and IP addresses. */
export async function createLeaf(
  ca: CertificateAndKey,
  names: string[],
  now: number,
): Promise<CertificateAndKey> {
  const keys = await newKeys()
  const issuer = new X509Certificate(ca.certificatePem)
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [commonName(names)] }],
    issuer: issuer.subjectName,
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(Math.min(now + LEAF_LIFETIME_MS, issuer.notAfter.getTime())),
    publicKey: keys.publicKey,
    signingKey: await importKey(ca.keyPem),
    signingAlgorithm: ecdsa,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(
        names.map(value => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return { certificatePem: pem(certificate), keyPem: await exportKey(keys.privateKey) }
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify'])
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key)
  return `${PemConverter.encode(der, 'PRIVATE KEY').trim()}\n`
}

function importKey(keyPem: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(keyPem), ecdsa, false, ['sign'])
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`
}

function commonName(names: string[]): string {
  return names.find(name => name.length <= MAX_COMMON_NAME) ?? 'sallyport'
}

// Positive and not shorter for a leading zero: RFC 5280, 4.1.2.2.
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0)
  return bytes.toString('hex')
}
