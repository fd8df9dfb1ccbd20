import { AwsError } from './error.ts'

/** A response: what to write to the socket. Header names are in lower case. */
export type Encoded = { status: number; headers: Record<string, string>; body: Uint8Array }

const CONTENT_TYPE = 'application/x-amz-json-1.1'
/** No input of any AWS operation nests deeper than about ten. */
const MAX_JSON_DEPTH = 64

const encoder = new TextEncoder()

/** The value of an awsJson body; `{}` for an empty one. Throws AwsError `SerializationException`. */
export function decodeJsonBody(body: Uint8Array): unknown {
  if (body.length === 0) return {}
  if (tooDeep(body)) {
    throw new AwsError('SerializationException', `the JSON body nests deeper than ${MAX_JSON_DEPTH} levels`)
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch (cause) {
    throw new AwsError('SerializationException', 'the body is not UTF-8', { cause })
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    // The parser's own message quotes the body, which may hold secrets.
    throw new AwsError('SerializationException', 'the body is not valid JSON', { cause })
  }
}

/** Status 200. Null members are left out, Dates become seconds (control-plane.md 16). No output is `{}`. */
export function encodeJsonResponse(output: unknown, requestId?: string): Encoded {
  return {
    status: 200,
    headers: { 'content-type': CONTENT_TYPE, ...requestIdHeader(requestId) },
    body: encoder.encode(JSON.stringify(output ?? {}, omitNull)),
  }
}

/** Body formats of control-plane.md 18.1. */
export function encodeJsonError(error: AwsError, requestId: string, style: 'awsJson' | 'restJson'): Encoded {
  const { code, message } = error
  return {
    status: error.status,
    headers: {
      'content-type': style === 'awsJson' ? CONTENT_TYPE : 'application/json',
      'x-amzn-errortype': code,
      ...requestIdHeader(requestId),
    },
    body: encoder.encode(JSON.stringify(style === 'awsJson' ? { __type: code, message } : { message })),
  }
}

function requestIdHeader(requestId: string | undefined): Record<string, string> {
  return requestId === undefined ? {} : { 'x-amzn-requestid': requestId }
}

function omitNull(this: unknown, key: string, value: unknown): unknown {
  // Date.toJSON has run already, so `value` is a string; the Date itself is still in its parent.
  const original = (this as Record<string, unknown>)[key]
  if (original instanceof Date) return original.getTime() / 1000
  return value === null ? undefined : value
}

/** Counts brackets outside strings, in bytes: cheaper than a parse and done before one. */
function tooDeep(body: Uint8Array): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < body.length; i++) {
    const byte = body[i]
    if (inString) {
      if (byte === BACKSLASH) i += 1
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth += 1
      if (depth > MAX_JSON_DEPTH) return true
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1
  }
  return false
}
const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
