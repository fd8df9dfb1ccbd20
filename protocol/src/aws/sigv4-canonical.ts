import type { Crypto } from '../crypto.ts'
import type { AuthenticationFailure } from './error.ts'

/** A request as it is on the wire: `path` percent-encoded and without query, `query` raw and without `?`. */
export type HttpRequest = {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: Uint8Array
}

/** A signature that cannot be read or cannot hold. `failure` is what `authenticationError` takes. */
export class SignatureError extends Error {
  override readonly name = 'SignatureError'
  readonly failure: AuthenticationFailure

  constructor(failure: AuthenticationFailure, message: string) {
    super(message)
    this.failure = failure
  }
}

/** What a signature says about how the request was made canonical. */
export type CanonicalForm = {
  readonly form: 'header' | 'query'
  readonly service: string
  readonly signedHeaders: readonly string[]
}

export type QueryParameter = { readonly name: string; readonly value: string }

const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD'
const MAX_QUERY_PARAMETERS = 1000

const encoder = new TextEncoder()

/**
 * The canonical request (control-plane.md 17.1). `host` stands in for the Host header. Throws SignatureError when
 * a signed header is absent, the query cannot be decoded or the declared body hash is not that of the body.
 */
export function canonicalRequest(
  crypto: Crypto,
  request: HttpRequest,
  claim: CanonicalForm,
  host?: string,
): string {
  return [
    request.method,
    canonicalPath(request.path, claim.service),
    canonicalQuery(request.query, claim.form),
    canonicalHeaders(request, claim.signedHeaders, host),
    claim.signedHeaders.join(';'),
    payloadHash(crypto, request, claim),
  ].join('\n')
}

/** All values of a header, in the order sent. */
export function headerValues(request: HttpRequest, name: string): string[] {
  return request.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value)
}

/**
 * Decodes a raw query string. A plus sign is a space, as in the forms that `decodeQuery` reads: were the two to
 * disagree, a signature would cover something else than what the operation is given.
 */
export function queryParameters(query: string): QueryParameter[] {
  const pieces = query.split('&', MAX_QUERY_PARAMETERS + 1)
  if (pieces.length > MAX_QUERY_PARAMETERS) {
    throw new SignatureError('incomplete', `the query has more than ${MAX_QUERY_PARAMETERS} parameters`)
  }
  return pieces
    .filter(piece => piece !== '')
    .map(piece => {
      const equals = piece.indexOf('=')
      if (equals < 0) return { name: decode(piece), value: '' }
      return { name: decode(piece.slice(0, equals)), value: decode(piece.slice(equals + 1)) }
    })
}

export function hex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte]
  return text
}
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

export function sha256Hex(crypto: Crypto, data: string | Uint8Array): string {
  return hex(crypto.sha256(typeof data === 'string' ? encoder.encode(data) : data))
}

/** Percent-encodes all but the unreserved characters of RFC 3986 2.3. */
export function uriEncode(text: string): string {
  if (/^[\w.~-]*$/.test(text)) return text
  try {
    return encodeURIComponent(text).replace(
      /[!'()*]/g,
      char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
    )
  } catch {
    throw new SignatureError('incomplete', 'the path or query holds half of a surrogate pair')
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new SignatureError('incomplete', 'the query is not percent-encoded UTF-8')
  }
}

/**
 * The path on the wire is encoded once already, so encoding it again gives the double encoding that every service
 * but S3 wants. SDKs sign the path without empty and dot segments (RFC 3986 5.2.4), S3 keeps them.
 */
function canonicalPath(path: string, service: string): string {
  if (service === 's3') return path === '' ? '/' : path.split('/').map(encodeOnce).join('/')
  const kept: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(uriEncode(segment))
  }
  const trailing = kept.length > 0 && path.endsWith('/') ? '/' : ''
  return `/${kept.join('/')}${trailing}`
}

function encodeOnce(segment: string): string {
  try {
    return uriEncode(decodeURIComponent(segment))
  } catch {
    throw new SignatureError('incomplete', 'the path is not percent-encoded UTF-8')
  }
}

function canonicalQuery(query: string, form: 'header' | 'query'): string {
  if (query === '') return ''
  return queryParameters(query)
    .filter(({ name }) => form === 'header' || name.toLowerCase() !== 'x-amz-signature')
    .map(({ name, value }) => ({ name: uriEncode(name), value: uriEncode(value) }))
    .sort((a, b) => compare(a.name, b.name) || compare(a.value, b.value))
    .map(({ name, value }) => `${name}=${value}`)
    .join('&')
}

// Encoded text is ASCII, so comparing code units is comparing bytes.
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

function canonicalHeaders(request: HttpRequest, names: readonly string[], host: string | undefined): string {
  const lines = names.map(name => {
    const values = name === 'host' && host !== undefined ? [host] : headerValues(request, name)
    if (values.length === 0) {
      throw new SignatureError(
        'incomplete',
        `SignedHeaders names '${name}', but the request has no such header`,
      )
    }
    return `${name}:${values.map(collapse).join(',')}\n`
  })
  return lines.join('')
}

function collapse(value: string): string {
  return value.replace(/[ \t\r\n]+/g, ' ').replace(/^ | $/g, '')
}

/** Only S3 may leave the body out of the signature; everywhere else a declared hash must be the real one. */
function payloadHash(crypto: Crypto, request: HttpRequest, claim: CanonicalForm): string {
  const [declared] = headerValues(request, 'x-amz-content-sha256')
  if (claim.service === 's3') {
    if (declared === UNSIGNED_PAYLOAD || (claim.form === 'query' && declared === undefined))
      return UNSIGNED_PAYLOAD
  }
  const actual = sha256Hex(crypto, request.body)
  if (declared !== undefined && declared !== actual) {
    throw new SignatureError(
      'wrong-signature',
      'X-Amz-Content-Sha256 is not the SHA-256 of the body received',
    )
  }
  return actual
}
