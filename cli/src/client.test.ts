import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSignature, SigningKeys, verifySignature } from '@sallyport/protocol/aws/sigv4'
import { nodeCrypto } from '@sallyport/protocol/transport/node-crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { ApiError, type ClientOptions, createClient } from './client.ts'

const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', sessionToken: 'token' }
const closers: Array<() => void> = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

const bodyOf = async (request: IncomingMessage) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const listen = async (server: ReturnType<typeof createServer>) => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  closers.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}

const serve = async (listener: RequestListener) => `http://127.0.0.1:${await listen(createServer(listener))}`

const clientOf = (endpoint: string, options: Partial<ClientOptions> = {}) =>
  createClient({
    endpoint: new URL(endpoint),
    region: 'eu-central-1',
    credentials: async () => KEYS,
    env: {},
    wait: async () => {},
    ...options,
  })

const answer = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
) => response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))

describe('a request', () => {
  test('is AWS JSON 1.1 with a signature that the server side accepts', async () => {
    const seen: unknown[] = []
    const endpoint = await serve(async (request, response) => {
      const body = await bodyOf(request)
      const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)] as const)
      const signed = { method: 'POST', path: '/', query: '', headers, body: new Uint8Array(body) }
      const claim = readSignature(signed)
      const good =
        claim !== undefined &&
        verifySignature(nodeCrypto, signed, claim, KEYS.secretAccessKey, new SigningKeys())
      seen.push(request.headers['x-amz-target'], request.headers['content-type'], body.toString(), good)
      seen.push(request.headers['x-amz-security-token'])
      answer(response, 200, { SessionId: 's-1' })
    })
    expect(await clientOf(endpoint).call('ssm', 'ResumeSession', { SessionId: 's-1' })).toEqual({
      SessionId: 's-1',
    })
    expect(seen).toEqual([
      'AmazonSSM.ResumeSession',
      'application/x-amz-json-1.1',
      '{"SessionId":"s-1"}',
      true,
      'token',
    ])
  })

  test('of sts is Query, and its XML is read', async () => {
    let asked = ''
    const endpoint = await serve(async (request, response) => {
      asked = (await bodyOf(request)).toString()
      answer(
        response,
        200,
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/a&amp;b</Arn><UserId>U</UserId><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>',
      )
    })
    const identity = await clientOf(endpoint).call('sts', 'GetCallerIdentity', {})
    expect(asked).toBe('Action=GetCallerIdentity&Version=2011-06-15')
    expect(identity).toEqual({ Account: '1', Arn: 'arn:aws:iam::1:user/a&b', UserId: 'U' })
  })

  test('of iam is Query, with lists and structures both ways', async () => {
    let asked = ''
    const endpoint = await serve(async (request, response) => {
      asked = (await bodyOf(request)).toString()
      answer(
        response,
        200,
        '<ListUsersResponse><ListUsersResult><Users><member><UserName>a</UserName></member></Users><IsTruncated>false</IsTruncated></ListUsersResult></ListUsersResponse>',
      )
    })
    const input = { Names: ['a&b', 'c'], Entries: [{ Key: 'k', Values: ['v'] }], Marker: undefined }
    expect(await clientOf(endpoint).call('iam', 'ListUsers', input)).toEqual({
      Users: [{ UserName: 'a' }],
      IsTruncated: 'false',
    })
    expect(asked).toBe(
      'Action=ListUsers&Version=2010-05-08&Names.member.1=a%26b&Names.member.2=c&Entries.member.1.Key=k&Entries.member.1.Values.member.1=v',
    )
  })

  test.each(['<html><p>It works!</p></html>', '<ListUsersResponse>', ''])(
    'answered with %j of a stranger says so',
    async page => {
      const endpoint = await serve((_, response) => answer(response, 200, page))
      const attempt = clientOf(endpoint).call('iam', 'ListUsers', {})
      await expect(attempt).rejects.toMatchObject({ code: 'UnreadableAnswer' })
    },
  )

  test('uses the connection of the one before', async () => {
    const ports = new Set<number | undefined>()
    const endpoint = await serve((request, response) => {
      ports.add(request.socket.remotePort)
      answer(response, 200, {})
    })
    const client = clientOf(endpoint)
    await client.call('ssm', 'StartSession', {})
    await client.call('ssm', 'StartSession', {})
    expect(ports.size).toBe(1)
  })
})

describe('an error', () => {
  test.each([
    [{ __type: 'com.amazonaws.ssm#TargetNotConnected', message: 'away' }, {}, 'TargetNotConnected', 'away'],
    [{ __type: 'InvalidDocument', Message: 'big M' }, {}, 'InvalidDocument', 'big M'],
    [
      {},
      { 'x-amzn-errortype': 'AccessDeniedException:http://internal' },
      'AccessDeniedException',
      'AccessDeniedException',
    ],
    ['<html>', {}, 'UnreadableAnswer', expect.stringContaining('400')],
    [{}, {}, 'UnreadableAnswer', expect.stringContaining('400')],
  ])('%j is read', async (body, headers, code, message) => {
    const endpoint = await serve((_, response) =>
      answer(response, 400, body, { ...headers, 'x-amzn-RequestId': 'r-1' } as Record<string, string>),
    )
    const attempt = clientOf(endpoint).call('ssm', 'StartSession', {})
    await expect(attempt).rejects.toBeInstanceOf(ApiError)
    await expect(attempt).rejects.toMatchObject({ code, message, status: 400, requestId: 'r-1' })
  })

  test('of sts is read', async () => {
    const xml =
      '<ErrorResponse><Error><Code>AccessDenied</Code><Message>no &lt;x&gt;</Message></Error></ErrorResponse>'
    const endpoint = await serve((_, response) => answer(response, 403, xml))
    const attempt = clientOf(endpoint).call('sts', 'GetCallerIdentity', {})
    await expect(attempt).rejects.toMatchObject({ code: 'AccessDenied', message: 'no <x>', status: 403 })
  })

  test('for want of a server names the address', async () => {
    const attempt = clientOf('http://127.0.0.1:1').call('ssm', 'StartSession', {})
    await expect(attempt).rejects.toMatchObject({
      code: 'ConnectionFailed',
      status: 0,
      message: 'Cannot reach http://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1',
    })
  })
})

describe('retrying', () => {
  const failing = async (status: number, code: string) => {
    let requests = 0
    const endpoint = await serve((_, response) => {
      requests++
      answer(response, status, { __type: code, message: 'x' }, { 'retry-after': '2' })
    })
    const waits: number[] = []
    const client = clientOf(endpoint, { wait: async ms => void waits.push(ms) })
    return { client, waits, requests: () => requests }
  }

  test.each([
    ['DescribeSessions', 500, 'InternalServerError', 3],
    ['StartSession', 500, 'InternalServerError', 1],
    ['StartSession', 400, 'ThrottlingException', 3],
    ['DescribeSessions', 400, 'ValidationException', 1],
    ['TerminateSession', 503, 'ServiceUnavailable', 3],
  ])('%s answered with %i %s is tried %i times', async (operation, status, code, tries) => {
    const { client, waits, requests } = await failing(status, code)
    await expect(client.call('ssm', operation, {})).rejects.toMatchObject({ code })
    expect(requests()).toBe(tries)
    expect(waits).toEqual(new Array(tries - 1).fill(2000))
  })

  test.each([
    ['StartSession', 1],
    ['DescribeSessions', 3],
  ])('%s whose connection breaks after it was sent is tried %i times', async (operation, tries) => {
    let requests = 0
    const endpoint = await serve(request => {
      requests++
      request.socket.destroy()
    })
    const attempt = clientOf(endpoint).call('ssm', operation, {})
    await expect(attempt).rejects.toMatchObject({ code: 'ConnectionFailed' })
    expect(requests).toBe(tries)
  })

  test('a connection that was never made is tried again for every operation', async () => {
    const waits: number[] = []
    const client = clientOf('http://127.0.0.1:1', { wait: async ms => void waits.push(ms) })
    await expect(client.call('ssm', 'StartSession', {})).rejects.toThrow()
    expect(waits).toHaveLength(2)
    expect(Math.max(...waits)).toBeLessThan(1000)
  })
})

describe('TLS and proxies', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-client-'))
  const subject = ['-subj', '/CN=server.test', '-addext', 'subjectAltName=DNS:server.test,IP:127.0.0.1']
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'key.pem']
  execFileSync('openssl', ['req', '-x509', ...newKey, '-out', 'ca.pem', '-days', '2', ...subject], {
    cwd: folder,
    stdio: 'ignore',
  })
  const cert = readFileSync(join(folder, 'ca.pem'), 'utf8')
  const key = readFileSync(join(folder, 'key.pem'), 'utf8')
  rmSync(folder, { recursive: true })

  const secureServer = () =>
    listen(createSecureServer({ cert, key }, (_, response) => answer(response, 200, { a: 1 })))

  test('a server with its own CA is trusted by --ca-bundle', async () => {
    const port = await secureServer()
    expect(await clientOf(`https://127.0.0.1:${port}`, { ca: cert }).call('ssm', 'StartSession', {})).toEqual(
      { a: 1 },
    )
  })

  test('without it, the error says how to trust the server, at the first try', async () => {
    const port = await secureServer()
    const waits: number[] = []
    const client = clientOf(`https://127.0.0.1:${port}`, { wait: async ms => void waits.push(ms) })
    await expect(client.call('ssm', 'DescribeSessions', {})).rejects.toMatchObject({
      code: 'ConnectionUntrusted',
      message: expect.stringContaining('--ca-bundle <data dir>/tls/ca.pem'),
    })
    expect(waits).toEqual([])
  })

  test('https to a plain port is recognised', async () => {
    const endpoint = await serve((_, response) => answer(response, 200, {}))
    const attempt = clientOf(endpoint.replace('http:', 'https:')).call('ssm', 'StartSession', {})
    await expect(attempt).rejects.toThrow('does not speak TLS')
  })

  test.each(['https', 'http'])('%s goes through the proxy of the environment', async scheme => {
    const port =
      scheme === 'https'
        ? await secureServer()
        : await listen(createServer((_, response) => answer(response, 200, { a: 1 })))
    const tunnels: unknown[] = []
    const proxy = createServer().on('connect', (request, client) => {
      tunnels.push(request.url)
      const upstream = connect(port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n')
        client.pipe(upstream).pipe(client)
      })
      closers.push(() => upstream.destroy())
    })
    const proxyUrl = `http://127.0.0.1:${await listen(proxy)}`
    const env = { https_proxy: proxyUrl, http_proxy: proxyUrl }
    const client = clientOf(`${scheme}://server.test:4000`, { ca: cert, env })
    expect(await client.call('ssm', 'StartSession', {})).toEqual({ a: 1 })
    expect(await client.call('ssm', 'StartSession', {})).toEqual({ a: 1 })
    expect(tunnels).toEqual(['server.test:4000'])
  })
})
