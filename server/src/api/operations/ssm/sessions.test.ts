import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { nodeSubject, sessionSubject } from '@sallyport/server/bus/bus'
import { CLIENT_TOKEN_LIFETIME, hashClientToken } from '@sallyport/server/iam/channel-tokens'
import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest
let node: string
let alice: Credentials

beforeAll(async () => {
  api = await openApi()
  node = await api.onlineNode()
  alice = await api.user('alice')
})
afterAll(() => api.dispose())
beforeEach(() => {
  api.published.length = 0
})

const session = async (id: unknown) => await api.store.sessions.get(scope, String(id))
const startAs = async (credentials = api.administrator, input: object = {}) =>
  await api.ok('StartSession', { Target: node, ...input }, credentials)

describe('StartSession', () => {
  test('answers once the session and its task are stored, and then tells the node', async () => {
    const { SessionId, TokenValue, StreamUrl } = await startAs(alice, { Reason: 'to look' })
    expect(SessionId).toMatch(/^alice-[a-z2-7]{32}$/)
    expect(StreamUrl).toBe(`wss://sallyport.example:8443/v1/data-channel/${SessionId}?role=publish_subscribe`)
    expect(await session(SessionId)).toMatchObject({
      nodeId: node,
      ownerArn: 'arn:aws:iam::123456789012:user/alice',
      documentName: 'SSM-SessionManagerRunShell',
      reason: 'to look',
      status: 'Connecting',
      idleTimeoutMs: 1_200_000,
      maxDurationMs: null,
      clientTokenHash: hashClientToken(String(TokenValue)),
      clientTokenExpiresAt: api.now + CLIENT_TOKEN_LIFETIME,
    })
    const tasks = await api.store.tasks.listForNode(scope, node)
    expect(tasks.find(task => task.sessionId === SessionId)).toMatchObject({
      kind: 'start-session',
      payload: { SessionId, RunAsUser: '', SessionOwner: 'arn:aws:iam::123456789012:user/alice' },
    })
    expect(api.published).toEqual([[nodeSubject(scope, node), { type: 'tasks' }]])
  })

  test('gives agents plain strings for the parameters of a document', async () => {
    const DocumentName = 'AWS-StartPortForwardingSession'
    const { SessionId } = await startAs(alice, { DocumentName, Parameters: { portNumber: ['22'] } })
    expect((await session(SessionId))?.parameters).toEqual({ portNumber: '22', localPortNumber: '0' })
  })

  test('says what is the matter with a node that is not there', async () => {
    const never = await api.node()
    const left = await api.onlineNode()
    await api.store.nodes.setDisconnected(scope, left, { epoch: api.now + 1, now: api.now - 14 * 60_000 })
    const gone = await api.onlineNode()
    await api.ok('DeregisterManagedInstance', { InstanceId: gone })
    const cases = [
      ['mi-00000000000000000', 'no node with this id was ever registered here'],
      [never, 'its agent has not connected yet'],
      [left, 'its agent went away 14 minutes ago'],
      [gone, 'it was deregistered a moment ago'],
      ['x', 'no node with this id'],
    ] as const
    for (const [Target, reason] of cases) {
      const answer = await api.call('StartSession', { Target })
      expect(answer.code).toBe('TargetNotConnected')
      expect(answer.message).toContain(`${Target} is not connected: `)
      expect(answer.message).toContain(reason)
    }
  })

  test('refuses documents and parameters that do not fit, and changes nothing', async () => {
    await api.ok('CreateDocument', {
      Name: 'encrypted',
      DocumentType: 'Session',
      Content: JSON.stringify({
        schemaVersion: '1.0',
        sessionType: 'Standard_Stream',
        inputs: { kmsKeyId: 'alias/k' },
      }),
    })
    const forward = { DocumentName: 'AWS-StartPortForwardingSession' }
    const before = await api.store.tasks.listForNode(scope, node)
    const cases: Array<[object, string]> = [
      [{ DocumentName: 'nope' }, 'InvalidDocument'],
      [{ DocumentName: 'arn:aws:ssm:us-east-1:210987654321:document/encrypted' }, 'InvalidDocument'],
      [{ DocumentName: 'encrypted' }, 'InvalidDocument'],
      [{ ...forward, Parameters: { portNumber: ['0'] } }, 'InvalidParameters'],
      [{ ...forward, Parameters: { nope: ['1'] } }, 'InvalidParameters'],
      [{ ...forward, Parameters: { portNumber: '22' } }, 'SerializationException'],
      [{ Reason: 'x'.repeat(257) }, 'ValidationException'],
      [
        { DocumentName: 'AWS-StartInteractiveCommand', Parameters: { command: ['x'.repeat(65_536)] } },
        'ValidationException',
      ],
    ]
    for (const [input, code] of cases) {
      expect(
        await api.code('StartSession', { Target: node, ...input }),
        JSON.stringify(input).slice(0, 99),
      ).toBe(code)
    }
    expect(await api.store.tasks.listForNode(scope, node)).toHaveLength(before.length)
  })

  test('sends no node more than it can read at once', async () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    await api.ok('CreateDocument', {
      Name: 'wide',
      DocumentType: 'Session',
      Content: JSON.stringify({
        schemaVersion: '1.0',
        sessionType: 'Standard_Stream',
        parameters: Object.fromEntries(names.map(name => [name, { type: 'String' }])),
      }),
    })
    const Parameters = Object.fromEntries(names.map(name => [name, ['x'.repeat(60_000)]]))
    const answer = await api.call('StartSession', { Target: node, DocumentName: 'wide', Parameters })
    expect(answer.code).toBe('ValidationException')
    expect(answer.message).toContain('more than 256 KB together')
  })

  test('makes a file name of any user name', async () => {
    const odd = await api.user('..strange,name')
    const { SessionId } = await startAs(odd)
    expect(SessionId).toMatch(/^\.\.strange-name-[a-z2-7]{32}$/)
    const long = await api.user('n'.repeat(64))
    expect(String((await startAs(long)).SessionId).length).toBeLessThanOrEqual(96)
  })
})

describe('ResumeSession', () => {
  test('gives a new token for the same address, and takes the old one back', async () => {
    const { SessionId, TokenValue, StreamUrl } = await startAs(alice)
    const resumed = await api.ok('ResumeSession', { SessionId }, alice)
    expect(resumed).toEqual({ SessionId, TokenValue: expect.any(String), StreamUrl })
    const use = async (token: unknown) =>
      await api.store.sessions.useClientToken(
        scope,
        String(SessionId),
        hashClientToken(String(token)),
        api.now,
      )
    expect(await use(TokenValue)).toMatchObject({ accepted: false, reason: 'wrong' })
    expect(await use(resumed.TokenValue)).toEqual({ accepted: true })
  })

  test('of two at the same time leaves one token that is good', async () => {
    const { SessionId } = await startAs(alice)
    const both = await Promise.all([1, 2].map(() => api.ok('ResumeSession', { SessionId }, alice)))
    const uses = []
    for (const { TokenValue } of both) {
      const hash = hashClientToken(String(TokenValue))
      uses.push((await api.store.sessions.useClientToken(scope, String(SessionId), hash, api.now)).accepted)
    }
    expect(uses.sort()).toEqual([false, true])
  })

  test('answers the same for a session of somebody else, that never was, or that has ended', async () => {
    const { SessionId, TokenValue } = await startAs(alice)
    const { SessionId: ended } = await startAs(alice)
    await api.ok('TerminateSession', { SessionId: ended }, alice)
    const bob = await api.user('bob')
    const cases: Array<[unknown, Credentials]> = [
      [SessionId, bob],
      [SessionId, api.administrator],
      ['alice-nobody', bob],
      ['alice-nobody', alice],
      [ended, alice],
    ]
    for (const [id, credentials] of cases) {
      const answer = await api.call('ResumeSession', { SessionId: id }, credentials)
      expect(answer).toMatchObject({ status: 400, code: 'DoesNotExistException' })
      expect(answer.message).toBe(`There is no session ${id}, or it has ended.`)
    }
    const hash = hashClientToken(String(TokenValue))
    expect((await session(SessionId))?.clientTokenHash, 'and takes no token away').toBe(hash)
  })
})

describe('TerminateSession', () => {
  test('ends a session, owes the node its end, and tells both', async () => {
    const { SessionId } = await startAs(alice)
    api.published.length = 0
    expect(await api.ok('TerminateSession', { SessionId })).toEqual({ SessionId })
    expect(await session(SessionId)).toMatchObject({
      status: 'Terminated',
      endedAt: api.now,
      details: 'Terminated by arn:aws:iam::123456789012:user/admin',
    })
    const tasks = (await api.store.tasks.listForNode(scope, node)).filter(
      task => task.sessionId === SessionId,
    )
    expect(
      tasks.map(({ kind }) => kind),
      'and not its start any more',
    ).toEqual(['end-session'])
    expect(api.published).toEqual([
      [
        sessionSubject(scope, String(SessionId)),
        { type: 'ended', output: 'The session was ended by user/admin.' },
      ],
      [nodeSubject(scope, node), { type: 'tasks' }],
    ])
  })

  test('again changes nothing; of what never was it fails', async () => {
    const { SessionId } = await startAs(alice)
    await api.ok('TerminateSession', { SessionId }, alice)
    const before = await session(SessionId)
    api.now += 1000
    api.published.length = 0
    expect(await api.ok('TerminateSession', { SessionId })).toEqual({ SessionId })
    expect(await session(SessionId)).toEqual(before)
    expect(api.published).toEqual([])
    expect(await api.code('TerminateSession', { SessionId: 'alice-nobody' })).toBe('DoesNotExistException')
  })
})

test('GetConnectionStatus follows the control channel', async () => {
  const status = async (Target: string) => (await api.ok('GetConnectionStatus', { Target })).Status
  const offline = await api.node()
  const gone = await api.onlineNode()
  await api.ok('DeregisterManagedInstance', { InstanceId: gone })
  expect(await Promise.all([node, offline, gone, 'nobody'].map(status))).toEqual([
    'connected',
    'notconnected',
    'notconnected',
    'notconnected',
  ])
})
