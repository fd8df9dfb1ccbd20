import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import type { NewSession } from '@sallyport/server/store/sessions'
import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

// What policies have to allow for sessions: the node and the document of StartSession, and the session itself
// afterwards (control-plane.md 34).

let api: ApiForTest
let node: string
let people = 0

beforeAll(async () => {
  api = await openApi()
  node = await api.onlineNode()
  await api.ok('UpdateInstanceInformation', agent, api.asNode(node))
})
afterAll(() => api.dispose())

const agent = {
  get InstanceId() {
    return node
  },
  AgentName: 'sallyport-agent',
  AgentVersion: '3.3.2299.0',
}
const allow = (action: string | string[], resource: string | string[] = '*', condition?: object) => ({
  Effect: 'Allow',
  Action: action,
  Resource: resource,
  ...(condition && { Condition: condition }),
})
const deny = (...args: Parameters<typeof allow>) => ({ ...allow(...args), Effect: 'Deny' })
const policy = (...statements: object[]) => JSON.stringify({ Version: '2012-10-17', Statement: statements })
const someone = (...statements: object[]) => person(`person-${++people}`, ...statements)
const person = (name: string, ...statements: object[]) =>
  api.user(name, { policies: statements.length === 0 ? [] : [policy(...statements)] })
const start = (credentials: Credentials, input: object = {}) =>
  api.call('StartSession', { Target: node, ...input }, credentials)
const nodes = 'arn:aws:ssm:*:*:managed-instance/*'
const FORWARD = 'AWS-StartPortForwardingSessionToRemoteHost'
const forward = (host: string, port: string) => ({
  DocumentName: FORWARD,
  Parameters: { host: [host], portNumber: [port] },
})
const DENIED = { status: 400, code: 'AccessDeniedException' }
const OK = { status: 200 }

describe('StartSession', () => {
  test('tells whoever may not start anything nothing about nodes, documents and parameters', async () => {
    const nobody = await someone()
    const wishes = [
      {},
      { DocumentName: FORWARD },
      { DocumentName: 'not-there' },
      { DocumentName: 'arn:aws:ssm:us-east-1:210987654321:document/theirs' },
      { DocumentName: FORWARD, Parameters: { nope: ['1'] } },
      forward('db.internal', 'ssh'),
    ]
    for (const Target of [node, 'mi-00000000000000000']) {
      for (const wish of wishes) {
        const answer = await start(nobody, { ...wish, Target })
        expect(answer).toMatchObject(DENIED)
        expect(answer.message).toMatch(
          new RegExp(
            `^User: arn:aws:iam::123456789012:user/person-\\d+ is not authorized to perform: ssm:StartSession on resource: arn:aws:ssm:us-east-1:123456789012:managed-instance/${Target} because no identity-based policy allows the ssm:StartSession action$`,
          ),
        )
      }
    }
  })

  test('tells whoever may use the node alone nothing about documents', async () => {
    const alice = await someone(allow('ssm:StartSession', nodes))
    for (const name of [FORWARD, 'not-there']) {
      const answer = await start(alice, { DocumentName: name })
      expect(answer).toMatchObject(DENIED)
      expect(answer.message).toMatch(
        new RegExp(
          `on resource: arn:aws:ssm:us-east-1:\\d*:document/${name} because no identity-based policy`,
        ),
      )
    }
  })

  test('asks for the document only where one is named', async () => {
    const alice = await someone(allow('ssm:StartSession', nodes))
    expect(await start(alice)).toMatchObject(OK)
    expect(await start(alice, { DocumentName: 'SSM-SessionManagerRunShell' })).toMatchObject(DENIED)
    const bob = await someone(allow('ssm:StartSession', [nodes, 'arn:aws:ssm:*::document/AWS-*']))
    expect(await start(bob, forward('db.internal', '5432'))).toMatchObject(OK)
  })

  test('asks for the document of a plain shell, too, where a policy wants that', async () => {
    const check = { BoolIfExists: { 'ssm:SessionDocumentAccessCheck': 'true' } }
    const onNodes = allow('ssm:StartSession', nodes, check)
    expect(await start(await someone(onNodes))).toMatchObject(DENIED)
    const shell = allow('ssm:StartSession', 'arn:aws:ssm:*:*:document/SSM-SessionManagerRunShell')
    const alice = await someone(onNodes, shell)
    expect(await start(alice)).toMatchObject(OK)
    expect(await start(alice, { DocumentName: 'AWS-StartSSHSession' })).toMatchObject(DENIED)
    const barred = await someone(allow('ssm:StartSession'), deny('ssm:StartSession', '*', check))
    expect(await start(barred, { DocumentName: 'AWS-StartSSHSession' })).toMatchObject(DENIED)
    expect(await start(barred)).toMatchObject(OK)
  })

  test('goes by the tags of the node and of the document', async () => {
    const tag = async (ResourceType: string, ResourceId: string, Value: string) =>
      await api.ok('AddTagsToResource', { ResourceType, ResourceId, Tags: [{ Key: 'env', Value }] })
    const [dev, prod] = [await api.onlineNode(), await api.onlineNode()]
    await tag('ManagedInstance', dev, 'dev')
    await tag('ManagedInstance', prod, 'prod')
    for (const key of ['ssm:resourceTag/env', 'aws:ResourceTag/env']) {
      const alice = await someone(allow('ssm:StartSession', nodes, { StringEquals: { [key]: 'dev' } }))
      expect(await start(alice, { Target: dev })).toMatchObject(OK)
      for (const Target of [prod, node, 'mi-00000000000000000'])
        expect(await start(alice, { Target }), Target).toMatchObject(DENIED)
    }
    const Content = JSON.stringify({ schemaVersion: '1.0', sessionType: 'Standard_Stream' })
    for (const Name of ['tagged-dev', 'tagged-prod'])
      await api.ok('CreateDocument', { Name, DocumentType: 'Session', Content })
    await tag('Document', 'tagged-dev', 'dev')
    await tag('Document', 'tagged-prod', 'prod')
    const bob = await someone(
      allow('ssm:StartSession', nodes),
      allow('ssm:StartSession', 'arn:aws:ssm:*:*:document/*', {
        StringEquals: { 'ssm:resourceTag/env': 'dev' },
      }),
    )
    expect(await start(bob, { DocumentName: 'tagged-dev' })).toMatchObject(OK)
    const byArn = 'arn:aws:ssm:us-east-1:123456789012:document/tagged-dev'
    expect(await start(bob, { DocumentName: byArn })).toMatchObject(OK)
    expect(await start(bob, { DocumentName: 'tagged-prod' })).toMatchObject(DENIED)
  })

  test('goes by host and port, however they are spelled', async () => {
    const only = await someone(
      allow('ssm:StartSession', '*', {
        StringEquals: { 'sallyport:DestinationHost': 'db.internal' },
        NumericEquals: { 'sallyport:DestinationPort': '5432' },
      }),
    )
    for (const host of ['db.internal', 'DB.INTERNAL', 'db.internal.'])
      expect(await start(only, forward(host, '5432')), host).toMatchObject(OK)
    for (const wish of [
      forward('db.internal', '22'),
      forward('other.internal', '5432'),
      { DocumentName: 'AWS-StartPortForwardingSession', Parameters: { portNumber: ['5432'] } },
      {},
    ])
      expect(await start(only, wish), JSON.stringify(wish)).toMatchObject(DENIED)
  })

  test('keeps a port closed for every document that leads there', async () => {
    const Content = JSON.stringify({
      schemaVersion: '1.0',
      sessionType: 'Port',
      parameters: { port: { type: 'String' } },
      properties: { portNumber: '{{ port }}' },
    })
    await api.ok('CreateDocument', { Name: 'any-port', DocumentType: 'Session', Content })
    const noSsh = { NumericEquals: { 'sallyport:DestinationPort': '22' } }
    const alice = await someone(allow('ssm:StartSession'), deny('ssm:StartSession', '*', noSsh))
    const portNumber = (port: string) => ({ Parameters: { portNumber: [port] } })
    for (const wish of [
      { DocumentName: 'AWS-StartSSHSession' },
      { DocumentName: 'AWS-StartSSHSession', ...portNumber('22') },
      { DocumentName: 'AWS-StartPortForwardingSession', ...portNumber('22') },
      forward('localhost', '22'),
      { DocumentName: 'any-port', Parameters: { port: ['0022'] } },
    ])
      expect(await start(alice, wish), JSON.stringify(wish)).toMatchObject(DENIED)
    for (const wish of [{ DocumentName: 'AWS-StartSSHSession', ...portNumber('2222') }, {}])
      expect(await start(alice, wish), JSON.stringify(wish)).toMatchObject(OK)
    for (const port of ['ssh', '22 ', '0x16'])
      expect(await start(alice, { DocumentName: 'any-port', Parameters: { port: [port] } })).toMatchObject({
        code: 'InvalidParameters',
      })
  })

  test("keeps another account's documents and nodes apart (security-cases.md 18)", async () => {
    const own = await someone(allow('ssm:StartSession', [nodes, 'arn:aws:ssm:*:123456789012:document/*']))
    const foreign = 'arn:aws:ssm:us-east-1:210987654321:document/any-port'
    const answer = await start(own, { DocumentName: foreign })
    expect(answer).toMatchObject(DENIED)
    expect(answer.message).toContain(`on resource: ${foreign} because`)
    expect(await start(api.administrator, { DocumentName: foreign })).toMatchObject({
      code: 'InvalidDocument',
    })
    const elsewhere = 'arn:aws:ssm:us-east-1:210987654321:managed-instance/mi-0123456789abcdef0'
    expect(await start(own, { Target: elsewhere })).toMatchObject({ code: 'TargetNotConnected' })
  })

  test('tells the agent where policies let it connect, and the record who was allowed what', async () => {
    const { body } = await start(api.administrator, forward('DB.internal', '5432'))
    const [task] = (await api.store.tasks.listForNode(scope, node)).filter(
      ({ sessionId }) => sessionId === body.SessionId,
    )
    expect(task?.payload).toMatchObject({
      Sallyport: { Destinations: [{ Host: 'DB.internal', Port: 5432 }] },
    })
    const session = await api.store.sessions.get(scope, String(body.SessionId))
    expect(session?.authority).toMatchObject({
      person: { kind: 'user', userName: 'admin' },
      facts: { sourceIp: '192.0.2.1', secureTransport: true },
      documentNamed: true,
    })
    expect(JSON.stringify(session?.authority)).not.toContain(api.administrator.secretAccessKey)
  })
})

/** Of a person who is not who calls; `name` is what its id begins with. */
async function foreignSession(name: string, ownerUserId: string): Promise<string> {
  const sessionId = `${name}-${'x'.repeat(32)}${++people}`
  await api.store.sessions.insert(scope, {
    sessionId,
    nodeId: node,
    ownerArn: 'arn:aws:sts::123456789012:assumed-role/ops/alice',
    ownerUserId,
    documentName: 'SSM-SessionManagerRunShell',
    documentVersion: '1',
    documentContent: { schemaVersion: '1.0', sessionType: 'Standard_Stream' },
    parameters: {},
    startedAt: api.now,
  } satisfies NewSession)
  return sessionId
}
const statusOf = async (id: string) => (await api.store.sessions.get(scope, id))?.status
const sessionIn = async (credentials: Credentials) => String((await start(credentials)).body.SessionId)

describe('ResumeSession', () => {
  const resume = (SessionId: unknown, credentials: Credentials) =>
    api.call('ResumeSession', { SessionId }, credentials)

  test("needs no permission of its own for one's own session that could still be started", async () => {
    const alice = await someone(allow('ssm:StartSession', nodes))
    const SessionId = await sessionIn(alice)
    expect(await resume(SessionId, alice)).toMatchObject(OK)
    const away = await someone(
      allow('ssm:StartSession', '*', { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } }),
    )
    const begun = await sessionIn(away)
    api.remoteAddress = '198.51.100.1'
    try {
      expect(await resume(begun, away)).toMatchObject(DENIED)
    } finally {
      api.remoteAddress = '192.0.2.1'
    }
    expect(await resume(begun, away)).toMatchObject(OK)
  })

  test('goes by what the session was started for', async () => {
    const port = { NumericEquals: { 'sallyport:DestinationPort': '5432' } }
    const alice = await someone(allow('ssm:StartSession', '*', port))
    const { body } = await start(alice, forward('db.internal', '5432'))
    expect(await resume(body.SessionId, alice)).toMatchObject(OK)
    const check = { BoolIfExists: { 'ssm:SessionDocumentAccessCheck': 'true' } }
    const bob = await someone(allow('ssm:StartSession', '*', check))
    expect(await resume(await sessionIn(bob), bob), 'by the other of the two ways').toMatchObject(OK)
  })

  test.each(['ssm:ResumeSession', 'ssmmessages:OpenDataChannel'])(
    'is not there where %s is denied',
    async action => {
      const own = { StringLike: { 'ssm:resourceTag/aws:ssmmessages:session-id': ['${aws:userid}'] } }
      const alice = await someone(allow('*'), deny(action, 'arn:aws:ssm:*:*:session/*', own))
      const answer = await resume(await sessionIn(alice), alice)
      expect(answer).toMatchObject(DENIED)
      expect(answer.message).toContain(
        `perform: ${action} on resource: arn:aws:ssm:us-east-1:123456789012:session/`,
      )
      expect(answer.message).toContain('with an explicit deny in an identity-based policy')
    },
  )

  test('never gives a session to somebody else, whatever their policies and names (security-cases.md 19)', async () => {
    const alice = await person('alice', allow('*'))
    for (const id of [
      await foreignSession('alice', 'AROAOPS:alice'),
      await foreignSession('alice', 'AIDAbob'),
    ]) {
      expect(await resume(id, alice)).toMatchObject({ code: 'DoesNotExistException' })
      expect((await api.store.sessions.get(scope, id))?.clientTokenHash).toBeNull()
    }
  })
})

describe('sessions of others', () => {
  const byTag = { StringLike: { 'ssm:resourceTag/aws:ssmmessages:session-id': ['${aws:userid}'] } }
  const sessions = 'arn:aws:ssm:*:*:session/*'
  const operations = ['ResumeSession', 'TerminateSession']

  test('look like those that never were to whoever may not touch them (security-cases.md 9)', async () => {
    const people = [
      await someone(),
      await someone(allow(['ssm:ResumeSession', 'ssm:TerminateSession'], sessions, byTag)),
      await someone(allow('ssm:*', 'arn:aws:ssm:*:*:session/${aws:username}-*')),
    ]
    const there = await foreignSession('bob', 'AIDAbob')
    const never = there.replace('bob-', 'rob-')
    for (const credentials of people) {
      for (const operation of operations) {
        const [one, other] = await Promise.all(
          [there, never].map(async SessionId => {
            const { code, message } = await api.call(operation, { SessionId }, credentials)
            return { code, message: message.replace(SessionId, 'ID') }
          }),
        )
        expect(one).toMatchObject({ code: 'AccessDeniedException' })
        expect(one).toEqual(other)
      }
    }
  })

  test.each([
    ['the tag of the session', { resource: sessions, condition: byTag }],
    ["the name in front of the session's id", { resource: 'arn:aws:ssm:*:*:session/${aws:username}-*' }],
  ])(
    "are told from one's own by %s",
    async (_, { resource, condition }: { resource: string; condition?: object }) => {
      const own = await someone(allow('ssm:StartSession'), allow('ssm:TerminateSession', resource, condition))
      const mine = await sessionIn(own)
      const theirs = await foreignSession('bob', 'AIDAbob')
      expect(await api.call('TerminateSession', { SessionId: theirs }, own)).toMatchObject(DENIED)
      expect(await api.call('TerminateSession', { SessionId: mine }, own)).toMatchObject(OK)
      expect(await Promise.all([mine, theirs].map(statusOf))).toEqual(['Terminated', 'Connecting'])
    },
  )

  test('may have the name of somebody in front, who cannot end them for that (security-cases.md 19)', async () => {
    const named = allow('ssm:TerminateSession', 'arn:aws:ssm:*:*:session/${aws:username}-*')
    const ann = await person('ann', named)
    const theirs = [
      // A role session called ann, and the user ann-marie.
      await foreignSession('ann', 'AROAOPS:ann'),
      await foreignSession('ann-marie', 'AIDAann-marie'),
    ]
    for (const SessionId of theirs) {
      const answer = await api.call('TerminateSession', { SessionId }, ann)
      const never = await api.call('TerminateSession', { SessionId: 'ann-never' }, ann)
      expect(answer.code).toBe('DoesNotExistException')
      expect(answer.message.replace(SessionId, 'ann-never')).toBe(never.message)
      expect(await statusOf(SessionId)).toBe('Connecting')
      expect(await api.call('TerminateSession', { SessionId })).toMatchObject(OK)
    }
  })

  test('can be ended by who may end all, or all of a node', async () => {
    const ofNode = { StringEquals: { 'ssm:resourceTag/aws:ssmmessages:target-id': node } }
    const operator = await someone(allow('ssm:TerminateSession', sessions, ofNode))
    const SessionId = await foreignSession('bob', 'AIDAbob')
    expect(await api.call('TerminateSession', { SessionId }, operator)).toMatchObject(OK)
  })
})
