import { type HttpRequest, headerValues, queryParameters, SignatureError } from './sigv4-canonical.ts'

/** What a request claims about its signature. Nothing in it is to be believed before `verifySignature`. */
export type SignatureClaim = {
  readonly form: 'header' | 'query'
  readonly accessKeyId: string
  /** yyyymmdd of the credential scope. */
  readonly date: string
  readonly region: string
  readonly service: string
  /** Lower case, in the order given. */
  readonly signedHeaders: string[]
  /** 64 hex digits, or base64 in the RSA form of managed nodes. */
  readonly signature: string
  readonly timestampMs: number
  /** yyyymmddThhmmssZ, as it stands in the string to sign. */
  readonly amzDate: string
  readonly sessionToken?: string
  /** Query form only, in seconds. */
  readonly expiresSeconds?: number
}

export const ALGORITHM = 'AWS4-HMAC-SHA256'
export const MAX_EXPIRES_SECONDS = 604_800
const MAX_SIGNED_HEADERS = 100
const MAX_AUTHORIZATION_LENGTH = 16_384

// A second copy of one of these would let the signature cover one value and the server act on the other.
const SINGLE_HEADERS = [
  'authorization',
  'host',
  'date',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-target',
  'x-amz-content-sha256',
]
const QUERY_FORM_KEYS = new Set([
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
])
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec'

/**
 * Reads the signature of a request from its Authorization header or its query (control-plane.md 17). Throws
 * SignatureError: `missing` when there is none, `unsupported` for another algorithm, else mostly `incomplete`.
 */
export function readSignature(request: HttpRequest): SignatureClaim {
  for (const name of SINGLE_HEADERS) {
    if (headerValues(request, name).length > 1)
      throw incomplete(`the request has more than one '${name}' header`)
  }
  const [authorization] = headerValues(request, 'authorization')
  const query = amzQuery(request)
  const inQuery = [...query.keys()].some(key => QUERY_FORM_KEYS.has(key))
  if (authorization !== undefined && inQuery) {
    throw incomplete('the request is signed in both the Authorization header and the query; use one of them')
  }
  if (authorization !== undefined) return headerClaim(request, authorization)
  if (inQuery) return queryClaim(request, query)
  throw new SignatureError('missing', 'the request has no Authorization header and no signature in its query')
}

function amzQuery(request: HttpRequest): Map<string, string> {
  const found = new Map<string, string>()
  if (request.query === '') return found
  for (const { name, value } of queryParameters(request.query)) {
    const key = name.toLowerCase()
    if (!key.startsWith('x-amz-')) continue
    if (found.has(key)) throw incomplete(`the query has more than one '${key}'`)
    found.set(key, value)
  }
  return found
}

function headerClaim(request: HttpRequest, authorization: string): SignatureClaim {
  if (authorization.length > MAX_AUTHORIZATION_LENGTH)
    throw incomplete('the Authorization header is too long')
  const space = authorization.indexOf(' ')
  checkAlgorithm(space < 0 ? authorization : authorization.slice(0, space))
  const fields = authorizationFields(authorization.slice(space + 1))
  const [token] = headerValues(request, 'x-amz-security-token')
  return {
    form: 'header',
    ...claimParts(request, {
      credential: need(fields.get('Credential'), 'Credential'),
      signedHeaders: need(fields.get('SignedHeaders'), 'SignedHeaders'),
      signature: need(fields.get('Signature'), 'Signature'),
      date: headerValues(request, 'x-amz-date')[0] ?? dateHeader(request),
    }),
    ...(token === undefined ? {} : { sessionToken: token }),
  }
}

function queryClaim(request: HttpRequest, query: ReadonlyMap<string, string>): SignatureClaim {
  checkAlgorithm(need(query.get('x-amz-algorithm'), 'X-Amz-Algorithm'))
  const expires = need(query.get('x-amz-expires'), 'X-Amz-Expires')
  const expiresSeconds = /^[0-9]{1,6}$/.test(expires) ? Number(expires) : 0
  if (expiresSeconds < 1 || expiresSeconds > MAX_EXPIRES_SECONDS) {
    throw incomplete(`X-Amz-Expires must be a number of seconds from 1 to ${MAX_EXPIRES_SECONDS}`)
  }
  const token = query.get('x-amz-security-token')
  return {
    form: 'query',
    ...claimParts(request, {
      credential: need(query.get('x-amz-credential'), 'X-Amz-Credential'),
      signedHeaders: need(query.get('x-amz-signedheaders'), 'X-Amz-SignedHeaders'),
      signature: need(query.get('x-amz-signature'), 'X-Amz-Signature'),
      date: need(query.get('x-amz-date'), 'X-Amz-Date'),
    }),
    expiresSeconds,
    ...(token === undefined ? {} : { sessionToken: token }),
  }
}

type RawParts = { credential: string; signedHeaders: string; signature: string; date: string }

function claimParts(request: HttpRequest, raw: RawParts) {
  const scope = parseCredential(raw.credential)
  const timestampMs = parseAmzDate(raw.date)
  // AWS words this as SignatureDoesNotMatch, and SDKs retry on it with a corrected clock.
  if (scope.date !== raw.date.slice(0, 8)) {
    throw new SignatureError(
      'wrong-signature',
      `the date of the credential scope, ${scope.date}, is not that of the timestamp, ${raw.date}`,
    )
  }
  return {
    ...scope,
    signedHeaders: parseSignedHeaders(request, raw.signedHeaders),
    signature: checkedSignature(raw.signature, scope.accessKeyId),
    timestampMs,
    amzDate: raw.date,
  }
}

function checkAlgorithm(name: string): void {
  if (name === ALGORITHM) return
  throw new SignatureError('unsupported', `only ${ALGORITHM} is supported, not '${name.slice(0, 40)}'`)
}

function authorizationFields(text: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const piece of text.split(',')) {
    // On the first '=' only: the RSA signatures of managed nodes are base64 and end in '=' (control-plane.md 3.1).
    const equals = piece.indexOf('=')
    if (equals < 0) throw incomplete("each part of the Authorization header must be of the form 'name=value'")
    const name = piece.slice(0, equals).trim()
    if (fields.has(name))
      throw incomplete(`the Authorization header gives '${name.slice(0, 40)}' more than once`)
    fields.set(name, piece.slice(equals + 1).trim())
  }
  return fields
}

function parseCredential(text: string) {
  const match =
    /^([A-Za-z0-9_-]{1,128})\/([0-9]{8})\/([a-z0-9-]{1,64})\/([a-z0-9.-]{1,64})\/aws4_request$/.exec(text)
  if (match === null) {
    throw incomplete('Credential must be <access key id>/<yyyymmdd>/<region>/<service>/aws4_request')
  }
  const [, accessKeyId = '', date = '', region = '', service = ''] = match
  return { accessKeyId, date, region, service }
}

function parseSignedHeaders(request: HttpRequest, text: string): string[] {
  const names = text.split(';', MAX_SIGNED_HEADERS + 1)
  if (names.length > MAX_SIGNED_HEADERS)
    throw incomplete(`more than ${MAX_SIGNED_HEADERS} headers are signed`)
  if (new Set(names).size !== names.length) throw incomplete('SignedHeaders names a header twice')
  for (const name of names) {
    if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
      throw incomplete('SignedHeaders must be lower-case header names')
    if (headerValues(request, name).length === 0) {
      throw incomplete(`SignedHeaders names '${name}', but the request has no such header`)
    }
  }
  if (!names.includes('host')) throw incomplete("'host' must be a signed header")
  // An unsigned target would let a captured signature run any other operation with the same body.
  if (!names.includes('x-amz-target') && headerValues(request, 'x-amz-target').length > 0) {
    throw incomplete("'x-amz-target' must be a signed header")
  }
  return names
}

function checkedSignature(signature: string, accessKeyId: string): string {
  const rsa = /^m?i-/.test(accessKeyId)
  const valid = rsa ? /^[A-Za-z0-9+/]{1,1024}={0,2}$/.test(signature) : /^[0-9a-f]{64}$/.test(signature)
  if (!valid) throw incomplete(`Signature must be ${rsa ? 'base64' : '64 lower-case hex digits'}`)
  return signature
}

function parseAmzDate(text: string): number {
  const match = /^([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z$/.exec(text)
  if (match !== null) {
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number)
    const timestampMs = Date.UTC(year, month - 1, day, hour, minute, second)
    // Date.UTC carries 30 February over into March; such a date was never meant.
    if (formatAmzDate(timestampMs) === text) return timestampMs
  }
  throw incomplete('the timestamp must be a UTC time of the form yyyymmddThhmmssZ')
}

/** Clients without X-Amz-Date sign the Date header, written as X-Amz-Date would be. */
function dateHeader(request: HttpRequest): string {
  const [text] = headerValues(request, 'date')
  if (text === undefined) throw incomplete("the request has neither an 'X-Amz-Date' nor a 'Date' header")
  const match = /^[A-Z][a-z]{2}, ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9:]{8}) GMT$/.exec(text)
  if (match === null) return text
  const [, day, name = '', year, time = ''] = match
  const month = MONTHS.indexOf(name) / 3 + 1
  return `${year}${String(month).padStart(2, '0')}${day}T${time.replaceAll(':', '')}Z`
}

/** yyyymmddThhmmssZ of a time in milliseconds. */
export function formatAmzDate(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
}

function need(value: string | undefined, name: string): string {
  if (value === undefined || value === '') throw incomplete(`the signature lacks '${name}'`)
  return value
}

function incomplete(message: string): SignatureError {
  return new SignatureError('incomplete', message)
}
