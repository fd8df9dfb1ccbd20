import { generateKeyPairSync } from 'node:crypto'
import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { testScope as scope } from '../store/testing.ts'
import type { ApiRequest } from './request.ts'
import { type ApiForTest, HOST, nodeKeys, openApi, read, spki } from './testing.ts'

let api: ApiForTest

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

const identity = 'Action=GetCallerIdentity&Version=2011-06-15'
const form = (): ApiRequest =>
  api.request({
    headers: [
      ['Host', HOST],
      ['Content-Type', 'application/x-www-form-urlencoded'],
    ],
    body: Buffer.from(identity),
  })

describe('a user', () => {
  const sessions = () => api.jsonRequest('DescribeSessions', { State: 'Active' })
  const send = async (request: ApiRequest) => read(await api.handle(request))

  test('is who signed with an active key', async () => {
    const answer = await send(api.signed(form(), api.administrator, { service: 'sts' }))
    expect(answer.status).toBe(200)
    expect(answer.body.text).toContain('<Arn>arn:aws:iam::123456789012:user/admin</Arn>')
  })

  test('is nobody with a key that is unknown, inactive, of another account, or somebody else’s secret', async () => {
    const alice = await api.user('alice')
    expect((await send(api.signed(sessions(), alice))).status).toBe(200)
    const stranger = { accessKeyId: 'AKIANOBODY', secretAccessKey: 'x' }
    const mixed = { ...alice, secretAccessKey: api.administrator.secretAccessKey }
    expect((await send(api.signed(sessions(), stranger))).code).toBe('UnrecognizedClientException')
    expect((await send(api.signed(sessions(), mixed))).code).toBe('InvalidSignatureException')
    await api.store.accessKeys.setStatus(scope, 'alice', alice.accessKeyId, 'Inactive')
    api.accessCache.forget()
    const inactive = await send(api.signed(sessions(), alice))
    expect(inactive.code).toBe('UnrecognizedClientException')
    expect(inactive.message).toContain(`access key ${alice.accessKeyId} was deactivated`)
    const guess = await send(api.signed(sessions(), { ...alice, secretAccessKey: 'x' }))
    expect(guess.message).not.toContain('deactivated')

    const foreign = { ...scope, accountId: '210987654321' }
    await api.store.users.create(foreign, { userName: 'eve', userId: 'AIDAEVE', path: '/', createdAt: 0 })
    const sealedSecret = api.sealing.seal('secret', 'AKIAEVE')
    await api.store.accessKeys.create(foreign, {
      accessKeyId: 'AKIAEVE',
      userName: 'eve',
      sealedSecret,
      createdAt: 0,
    })
    const eve = { accessKeyId: 'AKIAEVE', secretAccessKey: 'secret' }
    expect((await send(api.signed(sessions(), eve))).code).toBe('UnrecognizedClientException')
  })

  test('has a secret that is opened once, and read again after a change', async () => {
    const { accessKeyId } = await api.user('often')
    const often = { accessKeyId, secretAccessKey: 'secret of often' }
    const open = vi.spyOn(api.sealing, 'open')
    for (let i = 0; i < 3; i++) expect((await send(api.signed(sessions(), often))).status).toBe(200)
    expect(open).toHaveBeenCalledTimes(1)
    api.accessCache.forget()
    expect((await send(api.signed(sessions(), often))).status).toBe(200)
    expect(open).toHaveBeenCalledTimes(2)
    open.mockRestore()
  })

  test('is refused five minutes and a second off, either way, with the way to go on', async () => {
    const minutes = (n: number) => api.now + n * 60_000
    for (const at of [minutes(-5), minutes(5)]) {
      expect((await send(api.signed(sessions(), api.administrator, { at }))).status).toBe(200)
    }
    const early = await send(api.signed(sessions(), api.administrator, { at: minutes(5) + 1000 }))
    const late = await send(api.signed(sessions(), api.administrator, { at: minutes(-5) - 1000 }))
    expect([early.code, late.code]).toEqual(['InvalidSignatureException', 'InvalidSignatureException'])
    expect(early.message).toContain('Signature not yet current')
    expect(late.message).toContain('Signature expired: 20260131T115459Z is now earlier')
    expect(late.message).toContain('Check the clock of this machine.')
  })

  test('is refused for another region and service, and told which are meant', async () => {
    const region = await send(api.signed(sessions(), api.administrator, { region: 'eu-west-1' }))
    expect(region.code).toBe('InvalidSignatureException')
    expect(region.message).toContain(
      "This server's region is 'us-east-1' (--region us-east-1, or AWS_REGION=us-east-1)",
    )
    const service = await send(api.signed(sessions(), api.administrator, { service: 'sts' }))
    expect(service.message).toContain("Credential should be scoped to correct service: 'ssm'")
    expect(
      (await send(api.signed(form(), api.administrator, { service: 'sts', region: 'eu-west-1' }))).code,
    ).toBe('SignatureDoesNotMatch')
  })

  test('does not sign for a changed body, header or query', async () => {
    const good = api.signed(sessions(), api.administrator)
    const header = (name: string, value: string) =>
      good.headers.map(([key, old]): [string, string] => [key, key === name ? value : old])
    const changes: Array<Partial<ApiRequest>> = [
      { body: Buffer.from('{"State":"History"}') },
      { headers: header('X-Amz-Target', 'AmazonSSM.ListDocuments') },
      { headers: header('Host', 'elsewhere.example') },
      { query: 'x=y' },
      { method: 'PUT' },
    ]
    for (const change of changes) {
      expect((await send({ ...good, ...change })).code).toBe('InvalidSignatureException')
    }
  })
})

describe('wrong signatures', () => {
  const FREE = 100
  const from = (remoteAddress: string, credentials: Credentials) =>
    api.handle({
      ...api.signed(api.jsonRequest('DescribeSessions', { State: 'Active' }), credentials),
      remoteAddress,
    })
  const code = async (address: string, credentials: Credentials) =>
    read(await from(address, credentials)).code
  const unknown = { accessKeyId: 'AKIANOBODY', secretAccessKey: 'x' }
  const wrong = () => ({ ...api.administrator, secretAccessKey: 'x' })

  test('are told no more than that there were too many; the right one is let in all the same', async () => {
    const address = '198.51.100.7'
    for (let i = 0; i < FREE; i++) {
      const guess = i % 2 === 0 ? unknown : wrong()
      const expected = i % 2 === 0 ? 'UnrecognizedClientException' : 'InvalidSignatureException'
      expect(await code(address, guess), `${i}`).toBe(expected)
    }
    for (const guess of [unknown, wrong()]) {
      const answer = read(await from(address, guess))
      expect([answer.code, answer.message]).toEqual(['ThrottlingException', 'Rate exceeded'])
    }
    expect(await code(address, api.administrator)).toBeUndefined()
    expect(await code('198.51.100.8', wrong())).toBe('InvalidSignatureException')
    const lines = api.lines.filter(({ msg, message }) => `${msg ?? message}`.includes('too many wrong'))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ address })
    api.now += 1_000
    expect(await code(address, wrong())).toBe('InvalidSignatureException')
  })

  test('on one key from everywhere are too many too, which does not keep its owner out', async () => {
    const { accessKeyId, secretAccessKey } = await api.user('target')
    const guess = { accessKeyId, secretAccessKey: 'x' }
    for (let i = 0; i < 500; i++) await from(`203.0.113.${i & 255}`, guess)
    expect(await code('198.51.100.20', guess)).toBe('ThrottlingException')
    expect(await code('198.51.100.20', { accessKeyId, secretAccessKey })).toBeUndefined()
  })

  test('of nodes are not verified any more, but for nodes that were right from there', async () => {
    const [good, bad] = [await api.node(), await api.node()]
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const request = api.jsonRequest('RequestManagedInstanceRoleToken', { Fingerprint: 'fingerprint' })
    const ask = async (node: string, key: typeof privateKey, remoteAddress = '198.51.100.30') =>
      read(await api.handle({ ...api.rsaSigned(request, node, key), remoteAddress })).code
    expect(await ask(good, nodeKeys.privateKey)).toBeUndefined()
    for (let i = 0; i < FREE; i++) expect(await ask(bad, privateKey)).toBe('AccessDeniedException')
    expect(await ask(bad, privateKey)).toBe('ThrottlingException')
    expect(await ask(bad, nodeKeys.privateKey)).toBe('ThrottlingException')
    expect(await ask(bad, nodeKeys.privateKey, '198.51.100.31')).toBeUndefined()
    expect(await ask(good, nodeKeys.privateKey)).toBeUndefined()
  })
})

describe("the credentials of a node's role", () => {
  let node: string
  beforeEach(async () => {
    node = await api.node()
  })
  const report = (credentials: Parameters<ApiForTest['code']>[2]) =>
    api.code('UpdateInstanceInformation', { InstanceId: node }, credentials)

  test('are good until they expire', async () => {
    expect(await report(api.asNode(node, 1000))).toBe('')
    expect(await report(api.asNode(node, 0))).toBe('ExpiredTokenException')
    expect(await report(api.asNode(node, -1))).toBe('ExpiredTokenException')
  })

  test('are nothing with another secret, another key, or a token that was changed', async () => {
    const good = api.asNode(node)
    const other = api.asNode(await api.node())
    expect(await report({ ...good, secretAccessKey: other.secretAccessKey })).toBe(
      'InvalidSignatureException',
    )
    expect(await report({ ...good, accessKeyId: other.accessKeyId })).toBe('UnrecognizedClientException')
    const { sessionToken = '' } = good
    const bytes = Buffer.from(sessionToken, 'base64')
    for (const at of [0, 11, 12, bytes.length >> 1, bytes.length - 1]) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(await report({ ...good, sessionToken: changed.toString('base64') })).toBe(
        'UnrecognizedClientException',
      )
    }
    expect(await report({ ...good, sessionToken: 'x' })).toBe('UnrecognizedClientException')
    const { accessKeyId, secretAccessKey } = good
    expect(await report({ accessKeyId, secretAccessKey })).toBe('UnrecognizedClientException')
  })

  test("end with the node's registration, at once", async () => {
    const credentials = api.asNode(node)
    expect(await report(credentials)).toBe('')
    await api.ok('DeregisterManagedInstance', { InstanceId: node })
    expect(await report(credentials)).toBe('AccessDeniedException')
    expect(await api.code('GetDocument', { Name: 'AWS-StartSSHSession' }, credentials)).toBe(
      'AccessDeniedException',
    )
  })
})

describe('a node', () => {
  const identity = async (credentials: Credentials) =>
    String(read(await api.handle(api.signed(form(), credentials, { service: 'sts' }))).body.text)

  test('is who its role makes of it at that moment', async () => {
    const node = await api.node()
    const credentials = api.asNode(node)
    const role = await api.store.roles.get(scope, 'SSMServiceRole')
    const first = await identity(credentials)
    expect(first).toContain(`<Arn>arn:aws:sts::${scope.accountId}:assumed-role/SSMServiceRole/${node}</Arn>`)
    expect(first).toContain(`<UserId>${role?.roleId}:${node}</UserId>`)
    await api.store.db
      .updateTable('nodes')
      .set({ iamRole: 'NoSuchRole' })
      .where('nodeId', '=', node)
      .execute()
    const without = await identity(credentials)
    expect(without).toContain(`<Arn>arn:aws:sts::${scope.accountId}:assumed-role/none/${node}</Arn>`)
    expect(await api.code('UpdateInstanceInformation', { InstanceId: node }, credentials)).toBe(
      'AccessDeniedException',
    )
  })
})

describe('the registered key of a node', () => {
  const tokenRequest = () =>
    api.jsonRequest('RequestManagedInstanceRoleToken', { Fingerprint: 'fingerprint' })

  test('proves the node, for whatever port the agent had signed the host with', async () => {
    const node = await api.node()
    for (const host of [undefined, `${HOST}:443`, `${HOST}:80`]) {
      const answer = read(await api.handle(api.rsaSigned(tokenRequest(), node, nodeKeys.privateKey, host)))
      expect(answer).toMatchObject({ status: 200, body: { UpdateKeyPair: false } })
    }
    const other = read(
      await api.handle(api.rsaSigned(tokenRequest(), node, nodeKeys.privateKey, 'elsewhere')),
    )
    expect(other.code).toBe('AccessDeniedException')
  })

  test('proves an instance as well', async () => {
    const node = `i-${(await api.node()).slice(3)}`
    await api.store.db
      .updateTable('nodes')
      .set({ nodeId: node, kind: 'instance' })
      .where('nodeId', '=', `m${node}`)
      .execute()
    const code = async (key: typeof nodeKeys.privateKey) =>
      read(await api.handle(api.rsaSigned(tokenRequest(), node, key))).code
    expect(await code(nodeKeys.privateKey)).toBeUndefined()
    expect(await code(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)).toBe(
      'AccessDeniedException',
    )
  })

  test('is no other key, and no key of a node that was deregistered or never registered', async () => {
    const node = await api.node()
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const code = async (nodeId: string, key: typeof privateKey) =>
      read(await api.handle(api.rsaSigned(tokenRequest(), nodeId, key))).code
    expect(await code(node, privateKey)).toBe('AccessDeniedException')
    expect(await code('mi-00000000000000000', nodeKeys.privateKey)).toBe('AccessDeniedException')
    await api.ok('DeregisterManagedInstance', { InstanceId: node })
    expect(await code(node, nodeKeys.privateKey)).toBe('AccessDeniedException')
  })

  test('is good for its two operations only', async () => {
    const node = await api.node()
    for (const [operation, input] of [
      ['UpdateInstanceInformation', { InstanceId: node }],
      ['GetDocument', { Name: 'AWS-StartSSHSession' }],
      ['DescribeSessions', { State: 'Active' }],
    ] as const) {
      const request = api.rsaSigned(api.jsonRequest(operation, input), node, nodeKeys.privateKey)
      expect(read(await api.handle(request)).code, operation).toBe('AccessDeniedException')
    }
  })

  test('is replaced by a new one, which it signs for', async () => {
    const node = await api.node()
    const next = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const rotate = api.jsonRequest('UpdateManagedInstancePublicKey', {
      NewPublicKey: spki(next.publicKey),
      NewPublicKeyType: 'Rsa',
    })
    expect(read(await api.handle(api.rsaSigned(rotate, node, next.privateKey))).code).toBe(
      'AccessDeniedException',
    )
    expect(read(await api.handle(api.rsaSigned(rotate, node, nodeKeys.privateKey))).status).toBe(200)
    const after = async (key: typeof next.privateKey) =>
      read(await api.handle(api.rsaSigned(tokenRequest(), node, key))).status
    expect([await after(nodeKeys.privateKey), await after(next.privateKey)]).toEqual([400, 200])
  })
})
