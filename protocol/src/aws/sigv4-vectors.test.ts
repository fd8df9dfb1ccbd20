import { describe, expect, test } from 'vitest'
import vectors from '../../vectors/sigv4.json' with { type: 'json' }
import { nodeCrypto } from '../transport/node-crypto.ts'
import { type HttpRequest, readSignature, SigningKeys, verifySignature } from './sigv4.ts'

type Case = {
  name: string
  method: string
  path: string
  query: string
  headers: string[][]
  body: string
  credential?: string
  signedHeaders?: string
  signature: string
}

function signedRequest(vector: Case): HttpRequest {
  const { method, path, query, credential, signedHeaders, signature } = vector
  const headers = vector.headers.map(([name = '', value = '']) => [name, value] as const)
  const body = new TextEncoder().encode(vector.body)
  if (credential === undefined) {
    return { method, path, query: `${query}&X-Amz-Signature=${signature}`, headers, body }
  }
  const fields = `Credential=${credential},SignedHeaders=${signedHeaders},Signature=${signature}`
  return { method, path, query, headers: [...headers, ['Authorization', `AWS4-HMAC-SHA256 ${fields}`]], body }
}

describe('signatures that AWS has published', () => {
  for (const group of vectors.groups) {
    test.each(group.cases as Case[])('$name', vector => {
      const request = signedRequest(vector)
      const claim = readSignature(request)
      const verify = (secret: string) =>
        verifySignature(nodeCrypto, request, claim, secret, new SigningKeys())
      expect(verify(group.secretAccessKey)).toBe(true)
      expect(verify(`${group.secretAccessKey}x`)).toBe(false)
    })
  }
})
