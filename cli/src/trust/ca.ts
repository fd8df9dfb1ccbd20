import { createHash, X509Certificate } from 'node:crypto'
import { type ConnectOptions, createRequester } from '@sallyport/protocol/transport/node-http'
import { CliError, usageError } from '../errors.ts'

/** A certification authority's certificate. */
export type Ca = {
  /** This one certificate and nothing else. */
  pem: string
  /** `sha256:` and the hex digest of its DER. */
  hash: string
  subject: string
  until: Date
}

const CA_PATH = '/.well-known/sallyport/ca.pem'
const TIMEOUT_MS = 15_000

/** What the server says that its CA is; undefined where it shows a certificate that its CA has not signed. */
export const fetchCa = async (endpoint: URL, options: ConnectOptions): Promise<Ca | undefined> => {
  const answer = await createRequester(
    endpoint,
    options,
  )({
    method: 'GET',
    path: CA_PATH,
    headers: [['host', endpoint.host]],
    body: new Uint8Array(0),
    timeoutMs: TIMEOUT_MS,
  })
  if (answer.status === 404) return undefined
  if (answer.status !== 200)
    throw new CliError(
      `${endpoint.origin} does not say what its CA is (${answer.status}). Is it a Sallyport server?`,
    )
  return readCa(answer.body, endpoint.origin)
}

/** The first certificate of a PEM text. Whatever follows it is left behind: the hash does not vouch for it. */
export const readCa = (text: string, where: string): Ca => {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(text)
  } catch (error) {
    throw new CliError(`What ${where} gives as its CA is no certificate.`, undefined, { cause: error })
  }
  if (!certificate.ca) throw new CliError(`What ${where} gives as its CA is a certificate of another kind.`)
  return {
    pem: certificate.toString(),
    hash: `sha256:${createHash('sha256').update(certificate.raw).digest('hex')}`,
    subject: certificate.subject.replaceAll('\n', ', '),
    until: new Date(certificate.validTo),
  }
}

/** A hash as people copy it (ours, `openssl dgst`, `openssl x509 -fingerprint`), in our form. */
export const parseCaHash = (text: string): string => {
  const hex = text
    .toLowerCase()
    .replace(/^sha256:/, '')
    .replaceAll(':', '')
  if (!/^[0-9a-f]{64}$/.test(hex))
    throw usageError(`--ca-hash is "${text}": expected sha256: and 64 hex digits`)
  return `sha256:${hex}`
}
