import { createHash, createHmac } from 'node:crypto'
import { AssumeRoleCommand } from '@aws-sdk/client-sts'
import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { SignatureV4 } from '@smithy/signature-v4'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Answer, type ApiForTest, HOST, openApi, read } from '../../testing.ts'
import { allow, clientOf, makeRole, usable } from './sts-testing.ts'

// What Kubernetes clusters of AWS's take for a login, and Vault too: a GetCallerIdentity that somebody signed into a
// URL and let others send (control-plane.md 17.2).

let api: ApiForTest
beforeAll(async () => {
  api = await openApi()
})
beforeEach(() => {
  api.now = Date.now()
})
afterAll(() => api.dispose())

type Input = Uint8Array | string
/** As the SDK wants its hash. */
class Sha256 {
  readonly #hash
  constructor(secret?: Input) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret)
  }
  update(data: Input) {
    this.#hash.update(data)
  }
  async digest() {
    return new Uint8Array(this.#hash.digest())
  }
  reset() {}
}

async function presigned(credentials: Credentials, query: Record<string, string>, headers = {}) {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials
  const signer = new SignatureV4({
    service: 'sts',
    region: 'us-east-1',
    sha256: Sha256 as never,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
  })
  const request = {
    method: 'GET',
    protocol: 'https:',
    hostname: HOST,
    path: '/',
    query,
    headers: { host: HOST, ...headers },
  }
  const signed = await signer.presign(request as never, { expiresIn: 60, signingDate: new Date(api.now) })
  return new URLSearchParams(signed.query as Record<string, string>).toString()
}

const IDENTITY = { Action: 'GetCallerIdentity', Version: '2011-06-15' }

async function get(query: string, headers: Array<[string, string]> = []): Promise<Answer> {
  return read(await api.handle({ method: 'GET', query, headers: [['Host', HOST], ...headers] }))
}

test('a URL says who signed it, to whoever sends it, for as long as it is good', async () => {
  const query = await presigned(api.administrator, IDENTITY, { 'x-k8s-aws-id': 'cluster' })
  const answer = await get(query, [['x-k8s-aws-id', 'cluster']])
  expect(answer.status).toBe(200)
  expect(answer.body.text).toContain('<Arn>arn:aws:iam::123456789012:user/admin</Arn>')
  expect((await get(query, [['x-k8s-aws-id', 'another']])).code).toBe('SignatureDoesNotMatch')
  expect((await get(query)).code).toBe('IncompleteSignature')
  api.now += 61_000
  expect((await get(query, [['x-k8s-aws-id', 'cluster']])).code).toBe('RequestExpired')
})

test('so does one that temporary credentials signed', async () => {
  const RoleArn = await makeRole(api, 'Presigned', { policies: [allow('*')] })
  const assume = new AssumeRoleCommand({ RoleArn, RoleSessionName: 'k8s' })
  const role = usable((await clientOf(api, api.administrator).send(assume)).Credentials)
  const query = await presigned(role, IDENTITY)
  expect(query).toContain('X-Amz-Security-Token=')
  expect((await get(query)).body.text).toContain('assumed-role/Presigned/k8s</Arn>')
  const other = new URLSearchParams(query)
  other.set('X-Amz-Security-Token', 'x')
  expect((await get(other.toString())).code).toBe('InvalidClientTokenId')
  other.delete('X-Amz-Security-Token')
  expect((await get(other.toString())).code).toBe('InvalidClientTokenId')
})

test('no other operation can be made of it', async () => {
  const query = await presigned(api.administrator, IDENTITY)
  const other = new URLSearchParams(query)
  other.set('Action', 'GetSessionToken')
  expect((await get(other.toString())).code).toBe('SignatureDoesNotMatch')
  expect((await get(`${query}&DurationSeconds=900`)).code).toBe('SignatureDoesNotMatch')
  // The body is what a POST asks for, and it is covered as well.
  const body = Buffer.from('Action=GetSessionToken&Version=2011-06-15')
  const posted = await api.handle({ method: 'POST', query, headers: [['Host', HOST]], body })
  expect(read(posted).code).toBe('SignatureDoesNotMatch')
})

test('operations with an input are asked for in a URL too', async () => {
  const query = await presigned(api.administrator, {
    ...IDENTITY,
    Action: 'GetSessionToken',
    DurationSeconds: '900',
  })
  expect((await get(query)).body.text).toContain('<SessionToken>')
})
