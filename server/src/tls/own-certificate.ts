import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContext } from 'node:tls'
import { isPair } from './authority.ts'
import type { CertificateAndKey } from './certificates.ts'

/** Absolute paths of PEM files; the certificate may be followed by those of its issuers. */
export type CertificateFiles = { certificate: string; key: string }

/** The operator's files cannot be used: which of them, and why. */
export class OwnCertificateError extends Error {
  override readonly name = 'OwnCertificateError'
}

/** A certificate that the operator brought, of a CA that clients know already, and that others replace in time. */
export class OwnCertificate {
  readonly #files: CertificateFiles
  #pair: CertificateAndKey
  #certificate: X509Certificate
  #context: SecureContext

  /** Throws OwnCertificateError, which names the file and what is wrong with it. */
  static async open(files: CertificateFiles): Promise<OwnCertificate> {
    return new OwnCertificate(files, await readPair(files))
  }

  private constructor(files: CertificateFiles, pair: CertificateAndKey) {
    this.#files = files
    this.#pair = pair
    this.#certificate = new X509Certificate(pair.certificatePem)
    this.#context = contextOf(pair, files)
  }

  /** Reads the files again; true when they have changed. Throws, and keeps what it has, when they are no good. */
  async reload(): Promise<boolean> {
    const pair = await readPair(this.#files)
    if (pair.certificatePem === this.#pair.certificatePem && pair.keyPem === this.#pair.keyPem) return false
    const context = contextOf(pair, this.#files)
    this.#certificate = new X509Certificate(pair.certificatePem)
    this.#context = context
    this.#pair = pair
    return true
  }

  /** Whether the certificate is for this name. */
  covers(name: string): boolean {
    return this.#certificate.checkHost(name) !== undefined
  }

  get context(): SecureContext {
    return this.#context
  }

  /** For the log. */
  get summary() {
    const { subjectAltName, validTo } = this.#certificate
    return { file: this.#files.certificate, names: subjectAltName, until: new Date(validTo).toISOString() }
  }
}

async function readPair(files: CertificateFiles): Promise<CertificateAndKey> {
  const [certificatePem, keyPem] = await Promise.all([
    readPem(files.certificate, /-----BEGIN CERTIFICATE-----/, 'certificate'),
    readPem(files.key, /-----BEGIN (?:RSA |EC )?PRIVATE KEY-----/, 'unencrypted private key'),
  ])
  const pair = { certificatePem, keyPem }
  // Also while the two files are being replaced, one after the other.
  if (!isPair(pair))
    throw new OwnCertificateError(
      `${files.key} is not the key of the first certificate in ${files.certificate}`,
    )
  return pair
}

async function readPem(path: string, pattern: RegExp, what: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new OwnCertificateError(`the ${what} cannot be read: ${error.message}`, { cause: error })
  })
  if (!pattern.test(text)) throw new OwnCertificateError(`${path} holds no ${what} in PEM`)
  return text
}

function contextOf({ certificatePem, keyPem }: CertificateAndKey, files: CertificateFiles): SecureContext {
  try {
    return createSecureContext({ cert: certificatePem, key: keyPem, minVersion: 'TLSv1.2' })
  } catch (error) {
    const problem = (error as Error).message
    throw new OwnCertificateError(`${files.certificate} cannot be used: ${problem}`, { cause: error })
  }
}
