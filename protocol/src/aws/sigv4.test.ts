import { constants, createPublicKey, generateKeyPairSync, sign, verify as verifyRsa } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { nodeCrypto } from '../transport/node-crypto.ts'
import {
  checkClock,
  type HttpRequest,
  presignUrl,
  readSignature,
  SignatureError,
  SigningKeys,
  signRequest,
  stringToSign,
  verifySignature,
} from './sigv4.ts'

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)
const scope = { region: 'us-east-1', service: 'ssm' }
const who = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }
const base: HttpRequest = {
  method: 'POST',
  path: '/',
  query: '',
  headers: [
    ['Host', 'localhost:8080'],
    ['Content-Type', 'application/x-amz-json-1.1'],
    ['X-Amz-Target', 'AmazonSSM.StartSession'],
  ],
  body: new TextEncoder().encode('{"Target":"mi-0123456789abcdef0"}'),
}

function signed(request: HttpRequest = base, service = 'ssm'): HttpRequest {
  const added = signRequest(nodeCrypto, request, who, { ...scope, service }, NOW)
  return { ...request, headers: [...request.headers, ...added] }
}

function presigned(request: HttpRequest = base): HttpRequest {
  return { ...request, query: presignUrl(nodeCrypto, request, who, scope, NOW, 60) }
}

function edit(request: HttpRequest, name: string, change: (value: string) => string): HttpRequest {
  const headers = request.headers.map(
    ([key, value]) => [key, key.toLowerCase() === name ? change(value) : value] as const,
  )
  return { ...request, headers }
}

function without(request: HttpRequest, name: string): HttpRequest {
  return { ...request, headers: request.headers.filter(([key]) => key.toLowerCase() !== name) }
}

function plus(request: HttpRequest, ...header: [string, string]): HttpRequest {
  return { ...request, headers: [...request.headers, header] }
}

function failure(request: HttpRequest): string {
  try {
    readSignature(request)
  } catch (error) {
    if (error instanceof SignatureError) return error.failure
    throw error
  }
  return 'none'
}

function verify(request: HttpRequest): boolean {
  return verifySignature(nodeCrypto, request, readSignature(request), 'secret', new SigningKeys())
}

describe('reading a signature', () => {
  test('gives everything that the header claims', () => {
    expect(readSignature(signed())).toEqual({
      form: 'header',
      accessKeyId: 'AKIDEXAMPLE',
      date: '20260102',
      region: 'us-east-1',
      service: 'ssm',
      signedHeaders: ['content-type', 'host', 'x-amz-date', 'x-amz-target'],
      signature: expect.stringMatching(/^[0-9a-f]{64}$/),
      timestampMs: NOW,
      amzDate: '20260102T030405Z',
    })
  })

  test('tells an unsigned request from a damaged one', () => {
    expect(failure(base)).toBe('missing')
    expect(failure(plus(base, 'Authorization', ''))).toBe('unsupported')
    expect(failure(plus(base, 'Authorization', 'Bearer abc'))).toBe('unsupported')
    expect(failure(plus(base, 'Authorization', 'AWS4-HMAC-SHA256'))).toBe('incomplete')
    expect(failure(plus(base, 'Authorization', 'AWS4-HMAC-SHA256 Credential=x'))).toBe('incomplete')
  })

  test.each([
    ['a repeated field', (auth: string) => `${auth}, Signature=${'0'.repeat(64)}`],
    ['a short signature', (auth: string) => auth.slice(0, -1)],
    [
      'a base64 signature of an ordinary key',
      (auth: string) => auth.replace(/Signature=.*/, 'Signature=abc+/=='),
    ],
    ['an unknown terminator', (auth: string) => auth.replace('aws4_request', 'aws5_request')],
    ['an upper-case header name', (auth: string) => auth.replace('=content-type', '=Content-Type')],
    ['a header signed twice', (auth: string) => auth.replace('host;', 'host;host;')],
    ['a signed header that is not there', (auth: string) => auth.replace('host;', 'host;range;')],
    ['host unsigned', (auth: string) => auth.replace('host;', '')],
    ['the target unsigned', (auth: string) => auth.replace(';x-amz-target', '')],
    ['an extra piece', (auth: string) => `${auth},`],
  ])('refuses %s', (_, change) => {
    expect(failure(edit(signed(), 'authorization', change))).toBe('incomplete')
  })

  test.each(['Authorization', 'Host', 'X-Amz-Date', 'X-Amz-Target', 'x-amz-security-token'])(
    'refuses a second %s header',
    name => {
      const request = name === 'x-amz-security-token' ? plus(signed(), name, 'a') : signed()
      expect(failure(plus(request, name, 'b'))).toBe('incomplete')
    },
  )

  test('refuses both forms at once and repeated or unfit query keys', () => {
    const { query } = presigned()
    expect(failure({ ...signed(), query })).toBe('incomplete')
    expect(failure({ ...base, query: `${query}&x-amz-Signature=${'0'.repeat(64)}` })).toBe('incomplete')
    expect(failure({ ...base, query: query.replace('Expires=60', 'Expires=604801') })).toBe('incomplete')
    expect(failure({ ...base, query: query.replace('Expires=60', 'Expires=0') })).toBe('incomplete')
    expect(failure({ ...base, query: query.replace('Expires=60', 'Expires=6e1') })).toBe('incomplete')
    expect(failure({ ...base, query: 'X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256' })).toBe('unsupported')
    expect(failure({ ...base, query: 'X-Amz-Credential=%' })).toBe('incomplete')
  })

  test('takes the time from Date when there is no X-Amz-Date', () => {
    const dated = plus(without(signed(), 'x-amz-date'), 'Date', 'Fri, 02 Jan 2026 03:04:05 GMT')
    const claim = readSignature(edit(dated, 'authorization', auth => auth.replace('x-amz-date;', '')))
    expect(claim).toMatchObject({ amzDate: '20260102T030405Z', timestampMs: NOW })
  })

  test('refuses times that do not exist or that are not in the scope', () => {
    expect(failure(edit(signed(), 'x-amz-date', () => '20260230T030405Z'))).toBe('incomplete')
    expect(failure(edit(signed(), 'x-amz-date', () => '20260102T250405Z'))).toBe('incomplete')
    expect(failure(edit(signed(), 'x-amz-date', () => '20260103T030405Z'))).toBe('wrong-signature')
    expect(failure(without(signed(), 'x-amz-date'))).toBe('incomplete')
  })
})

describe('verifying', () => {
  test('a declared body hash must be that of the body, even where it is not signed', () => {
    const hash = (text: string) =>
      Buffer.from(nodeCrypto.sha256(new TextEncoder().encode(text))).toString('hex')
    const declared = (value: string) => plus(signed(), 'x-amz-content-sha256', value)
    expect(verify(declared(Buffer.from(nodeCrypto.sha256(base.body)).toString('hex')))).toBe(true)
    expect(verify(declared(hash('other')))).toBe(false)
    expect(verify(declared('UNSIGNED-PAYLOAD'))).toBe(false)
  })

  test('only S3 may leave its body unsigned', () => {
    const unsigned = plus(base, 'x-amz-content-sha256', 'UNSIGNED-PAYLOAD')
    const request = signed(unsigned, 's3')
    expect(verify({ ...request, body: new Uint8Array([1]) })).toBe(true)
    expect(() => signed(unsigned)).toThrow(SignatureError)
  })

  test('a presigned request with its own parameters verifies and refuses added ones', () => {
    const request = presigned({ ...base, query: 'Action=GetCallerIdentity&Version=2011-06-15' })
    expect(verify(request)).toBe(true)
    expect(verify({ ...request, query: `${request.query}&Action=Other` })).toBe(false)
  })

  test('the signature itself is compared in full', () => {
    for (const at of [0, 31, 63]) {
      const request = edit(signed(), 'authorization', auth => {
        const i = auth.length - 64 + at
        return `${auth.slice(0, i)}${auth[i] === '0' ? '1' : '0'}${auth.slice(i + 1)}`
      })
      expect(verify(request)).toBe(false)
    }
  })

  test('the RSA form of managed nodes is read, and the host can be replaced for it', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
    const headers = [...base.headers, ['X-Amz-Date', '20260102T030405Z']] as const
    const names = ['content-type', 'host', 'x-amz-date', 'x-amz-target']
    const credential = 'mi-0123456789abcdef0/20260102/us-east-1/ssm/aws4_request'
    const claim = {
      form: 'header',
      ...scope,
      date: '20260102',
      amzDate: '20260102T030405Z',
      signedHeaders: names,
    } as const
    const text = stringToSign(nodeCrypto, { ...base, headers }, claim, 'localhost:443')
    const signature = sign('sha256', Buffer.from(text), { key: privateKey, ...pss }).toString('base64')
    const fields = `Credential=${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`
    const request = plus({ ...base, headers }, 'Authorization', `AWS4-HMAC-SHA256 ${fields}`)

    const read = readSignature(request)
    expect(read).toMatchObject({ accessKeyId: 'mi-0123456789abcdef0', signature })
    const key = createPublicKey(publicKey.export({ format: 'pem', type: 'spki' }))
    const holds = (host?: string) => {
      const signedText = Buffer.from(stringToSign(nodeCrypto, request, read, host))
      return verifyRsa('sha256', signedText, { key, ...pss }, Buffer.from(read.signature, 'base64'))
    }
    expect(holds('localhost:443')).toBe(true)
    expect(holds()).toBe(false)
    expect(verify(request)).toBe(false)
  })
})

describe('the clock', () => {
  const minute = 60_000
  test('a header signature holds five minutes either way', () => {
    const claim = readSignature(signed())
    expect(checkClock(claim, NOW + 5 * minute)).toBeUndefined()
    expect(checkClock(claim, NOW - 5 * minute)).toBeUndefined()
    expect(checkClock(claim, NOW + 5 * minute + 1)).toBe('clock-skew')
    expect(checkClock(claim, NOW - 5 * minute - 1)).toBe('clock-skew')
  })

  test('a presigned request holds until it expires', () => {
    const claim = readSignature(presigned())
    expect(checkClock(claim, NOW + minute)).toBeUndefined()
    expect(checkClock(claim, NOW + minute + 1)).toBe('expired-request')
    expect(checkClock(claim, NOW - 5 * minute)).toBeUndefined()
    expect(checkClock(claim, NOW - 5 * minute - 1)).toBe('clock-skew')
  })
})

describe('signing', () => {
  test('refuses what it could not sign truthfully', () => {
    expect(() => signed(without(base, 'host'))).toThrow('host')
    expect(() => signed(signed())).toThrow("already has 'authorization'")
    expect(() => presignUrl(nodeCrypto, base, who, scope, NOW, 604_801)).toThrow('expiresSeconds')
  })

  test('keeps a bounded number of keys and drops the one unused for longest', () => {
    let hmacs = 0
    const crypto = {
      ...nodeCrypto,
      hmacSha256: (key: Uint8Array, data: Uint8Array) => {
        hmacs += 1
        return nodeCrypto.hmacSha256(key, data)
      },
    }
    const keys = new SigningKeys(2)
    const derive = (secret: string) => keys.key(crypto, secret, '20260102', 'us-east-1', 'ssm')
    derive('a')
    derive('b')
    derive('a')
    expect(hmacs).toBe(8)
    derive('c')
    derive('a')
    expect(hmacs).toBe(12)
    derive('b')
    expect(hmacs).toBe(16)
    expect(keys.size).toBe(2)
  })
})
