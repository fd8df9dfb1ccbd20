import { createHash, createHmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nodeCrypto } from '../transport/node-crypto.ts'
import {
  type HttpRequest,
  presignUrl,
  readSignature,
  SignatureError,
  SigningKeys,
  signRequest,
  verifySignature,
} from './sigv4.ts'

// The signer of AWS's own JavaScript SDK is the second implementation here.

class NodeHash {
  readonly #hash
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytes(secret))
  }
  update(data: string | ArrayBuffer | ArrayBufferView) {
    this.#hash.update(bytes(data))
  }
  digest() {
    return Promise.resolve(new Uint8Array(this.#hash.digest()))
  }
  reset() {}
}

function bytes(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data)
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data)
}

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)
const HOST = 'ssm.example.org:8443'
const credentials = fc.record({
  accessKeyId: fc.constant('AKIDEXAMPLE'),
  secretAccessKey: fc.string({ minLength: 1, maxLength: 60 }),
  sessionToken: fc.option(fc.base64String({ minLength: 4 }), { nil: undefined }),
})
const scope = { region: 'eu-central-1', service: 'ssmmessages' }

// Slashes inside, percent signs (which become %25 and then %2525), unicode, characters encodeURIComponent keeps.
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom('a b', "!'()*", '%2F', '%', '+', '~._-', 'ünï', '日本', '=', '&', '/'),
)
const path = fc
  .array(text, { maxLength: 4 })
  .map(segments => `/${segments.map(encodeURIComponent).join('/')}`)
  .filter(wire => !wire.split('/').some(segment => /^\.+$/.test(segment)))
const query = fc.dictionary(
  // The SDK loses a parameter of the name __proto__.
  text.filter(name => name !== '' && name !== '__proto__' && !name.toLowerCase().startsWith('x-amz-')),
  fc.array(text, { minLength: 1, maxLength: 3 }),
  { maxKeys: 4, noNullPrototype: true },
)
const headerValue = fc.stringMatching(/^[ -~]{0,30}$/)
const signedOnly = fc.record(
  {
    'Content-Type': headerValue,
    'X-Amz-Target': fc.constant('AmazonSSM.StartSession'),
    'x-amz-zeta': headerValue,
    'X-AMZ-Alpha': headerValue,
  },
  { requiredKeys: [] },
)
const anyHeaders = fc.record(
  {
    'amz-sdk-invocation-id': fc.uuid(),
    Accept: headerValue,
    'User-Agent': headerValue,
    'x-amz-alpha': headerValue,
  },
  { requiredKeys: [] },
)
const body = fc.uint8Array({ maxLength: 40 })
const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE')

type Oracle = {
  method: string
  path: string
  query: Record<string, string[]>
  headers: Record<string, string>
  body: Uint8Array
}
const requests = (headers: fc.Arbitrary<object>) =>
  fc.record({ method, path, query, headers: headers as fc.Arbitrary<Record<string, string>>, body })

function signer(
  credential: { accessKeyId: string; secretAccessKey: string; sessionToken: string | undefined },
  applyChecksum: boolean,
) {
  const { accessKeyId, secretAccessKey, sessionToken } = credential
  return new SignatureV4({
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    ...scope,
    sha256: NodeHash,
    applyChecksum,
  })
}

function forOracle(request: Oracle) {
  return {
    ...request,
    protocol: 'https:',
    hostname: 'ssm.example.org',
    headers: { ...request.headers, host: HOST },
    query: structuredClone(request.query),
  }
}

function wireQuery(pairs: Record<string, string | string[] | null | undefined>): string {
  return Object.entries(pairs)
    .reverse()
    .flatMap(([name, values]) =>
      [values ?? []].flat().map(value => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`),
    )
    .join('&')
}

function toWire(request: Oracle, headers: Record<string, string> = request.headers): HttpRequest {
  const { method, path, body } = request
  return { method, path, query: wireQuery(request.query), headers: Object.entries(headers).reverse(), body }
}

function verify(request: HttpRequest, secret: string): boolean {
  return verifySignature(nodeCrypto, request, readSignature(request), secret, new SigningKeys())
}

describe('against the signer of the AWS SDK', () => {
  test('what the SDK signs in the header verifies', async () => {
    await fc.assert(
      fc.asyncProperty(requests(anyHeaders), credentials, fc.boolean(), async (request, who, checksum) => {
        const signed = await signer(who, checksum).sign(forOracle(request), { signingDate: new Date(NOW) })
        const wire = toWire(request, signed.headers)
        expect(readSignature(wire).sessionToken).toBe(who.sessionToken)
        expect(verify(wire, who.secretAccessKey)).toBe(true)
        expect(verify(wire, `${who.secretAccessKey}.`)).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  test('what the SDK presigns verifies', async () => {
    await fc.assert(
      fc.asyncProperty(requests(fc.constant({})), credentials, async (request, who) => {
        const signed = await signer(who, true).presign(forOracle(request), {
          signingDate: new Date(NOW),
          expiresIn: 60,
        })
        const wire = {
          ...toWire(request, { host: HOST }),
          query: wireQuery(signed.query as Record<string, string | string[]>),
        }
        expect(readSignature(wire)).toMatchObject({ form: 'query', expiresSeconds: 60, timestampMs: NOW })
        expect(verify(wire, who.secretAccessKey)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  test('our header signature is the one of the SDK, byte for byte', async () => {
    await fc.assert(
      fc.asyncProperty(requests(signedOnly), credentials, async (request, who) => {
        const theirs = await signer(who, false).sign(forOracle(request), { signingDate: new Date(NOW) })
        const ours = signRequest(
          nodeCrypto,
          toWire(request, { ...request.headers, host: HOST }),
          who,
          scope,
          NOW,
        )
        const names = ['x-amz-date', 'x-amz-security-token', 'authorization'] as const
        for (const name of names) expect(Object.fromEntries(ours)[name]).toBe(theirs.headers[name])
      }),
      { numRuns: 200 },
    )
  })

  test('our presigned signature is the one of the SDK', async () => {
    await fc.assert(
      fc.asyncProperty(requests(fc.constant({})), credentials, async (request, who) => {
        const options = { signingDate: new Date(NOW), expiresIn: 900 }
        const theirs = await signer(who, true).presign(forOracle(request), options)
        const ours = presignUrl(nodeCrypto, toWire(request, { host: HOST }), who, scope, NOW, 900)
        expect(new URLSearchParams(ours).get('X-Amz-Signature')).toBe(theirs.query?.['X-Amz-Signature'])
      }),
      { numRuns: 200 },
    )
  })
})

// One byte becomes another. What changes neither a decoded query nor a header value is no change.
function flip(text: string, at: number, to: string): string {
  const i = at % text.length
  return text.slice(0, i) + to + text.slice(i + 1)
}

function meaning(query: string): string {
  const parameters = new URLSearchParams(query)
  parameters.sort()
  return JSON.stringify([...parameters])
}

function rejected(request: HttpRequest, secret: string): boolean {
  try {
    // The id is not signed: it chooses the secret, so another id is another caller's secret or nobody's.
    const claim = readSignature(request)
    if (claim.accessKeyId !== 'AK') return true
    return !verifySignature(nodeCrypto, request, claim, secret, new SigningKeys())
  } catch (error) {
    if (error instanceof SignatureError) return true
    throw error
  }
}

describe('a signed request in which one byte was changed is refused', () => {
  const letter = fc.constantFrom(...'aZ09-_.~/%2Fx&=+; ,:')
  const at = fc.nat(10_000)
  const secretAccessKey = 'secret'
  const signed = requests(fc.constant({ 'Content-Type': 'application/json', 'X-Amz-Target': 'A.B' })).map(
    request => {
      const wire = toWire(request, { ...request.headers, host: HOST })
      const added = signRequest(nodeCrypto, wire, { accessKeyId: 'AK', secretAccessKey }, scope, NOW)
      return { ...wire, headers: [...wire.headers, ...added] }
    },
  )
  const check = (mutate: (request: HttpRequest, at: number, letter: string) => HttpRequest | undefined) => {
    let mutants = 0
    const property = fc.property(signed, at, letter, (request, i, char) => {
      expect(rejected(request, secretAccessKey)).toBe(false)
      const mutant = mutate(request, i, char)
      if (mutant === undefined) return
      mutants += 1
      expect(rejected(mutant, secretAccessKey)).toBe(true)
    })
    fc.assert(property, { numRuns: 400 })
    expect(mutants).toBeGreaterThan(50)
  }

  test('method', () =>
    check((request, i, char) => {
      const method = flip(request.method, i, char)
      return method === request.method ? undefined : { ...request, method }
    }))

  test('path', () =>
    check((request, i, char) => {
      // SDKs sign paths without empty segments, so only a path without one has a single spelling.
      if (request.path.includes('//') || request.path.endsWith('/')) return undefined
      const path = flip(request.path, 1 + (i % (request.path.length - 1)), char)
      return path === request.path ? undefined : { ...request, path }
    }))

  test('query', () =>
    check((request, i, char) => {
      if (request.query === '') return undefined
      const query = flip(request.query, i, char)
      return meaning(query) === meaning(request.query) ? undefined : { ...request, query }
    }))

  test('body', () =>
    check((request, i) => {
      if (request.body.length === 0) return undefined
      const body = request.body.slice()
      const k = i % body.length
      body[k] = (body[k] ?? 0) ^ (1 << (i % 8))
      return { ...request, body }
    }))

  test('any header, the credential scope and the timestamp among them', () =>
    check((request, i, char) => {
      const k = i % request.headers.length
      const headers = request.headers.map(([name, value], n) =>
        n === k ? ([name, flip(value, Math.floor(i / 7), char)] as const) : ([name, value] as const),
      )
      const [before, after] = [request.headers[k]?.[1] ?? '', headers[k]?.[1] ?? '']
      // Spaces between the fields of Authorization mean nothing, and neither does a lost separator before one.
      if (before.replace(/[ ]+/g, '') === after.replace(/[ ]+/g, '')) return undefined
      return { ...request, headers }
    }))
})

test('whatever the headers and the query hold, reading a signature gives a claim or a SignatureError', () => {
  const noise = fc.oneof(
    fc.string(),
    fc.constantFrom('AWS4-HMAC-SHA256 ', 'Credential=a/20260102/r/s/aws4_request'),
  )
  const field = fc.constantFrom('Authorization', 'Host', 'X-Amz-Date', 'Date', 'x-amz-security-token')
  const amz = fc.constantFrom('X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Expires', 'X-Amz-Signature', 'x')
  const property = fc.property(
    fc.array(fc.tuple(field, noise)),
    fc.array(fc.tuple(amz, noise)),
    (headers, pairs) => {
      const query = pairs.map(([name, value]) => `${name}=${value}`).join('&')
      try {
        readSignature({ method: 'GET', path: '/', query, headers, body: new Uint8Array() })
      } catch (error) {
        expect(error).toBeInstanceOf(SignatureError)
      }
    },
  )
  fc.assert(property, { numRuns: 500 })
})
