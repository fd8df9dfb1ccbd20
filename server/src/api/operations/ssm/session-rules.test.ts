import type { SessionTask } from '@sallyport/protocol/control-channel'
import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

// What StartSession asks of a document, of the node's agent and of the caller.

let api: ApiForTest

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

const create = (Name: string, content: object) =>
  api.ok('CreateDocument', {
    Name,
    DocumentType: 'Session',
    Content: JSON.stringify({ schemaVersion: '1.0', ...content }),
  })
const taskOf = async (node: string, sessionId: unknown) => {
  const tasks = await api.store.tasks.listForNode(scope, node)
  return tasks.find(task => task.sessionId === sessionId)?.payload as SessionTask
}

describe("the node's agent", () => {
  const nodeWith = async (agentName: string | undefined, agentVersion?: string) => {
    const node = await api.onlineNode()
    const AgentVersion = agentVersion && { AgentVersion: agentVersion }
    if (agentName !== undefined) {
      const input = { InstanceId: node, AgentName: agentName, ...AgentVersion }
      await api.ok('UpdateInstanceInformation', input, api.asNode(node))
    }
    return node
  }
  const remote = { DocumentName: 'AWS-StartPortForwardingSessionToRemoteHost' }
  const start = (Target: string, input: object) => api.call('StartSession', { Target, ...input })

  test.each([
    ['3.1.1374.0', 200],
    ['3.1.1374', 200],
    ['3.3.0.0', 200],
    ['10.0', 200],
    ['3.1.1373.9', 400],
    ['3.0.9999.0', 400],
    ['3.1', 400],
  ])('%s and a remote host: %i', async (version, status) => {
    const node = await nodeWith('amazon-ssm-agent', version)
    const answer = await start(node, { ...remote, Parameters: { host: ['db.internal'] } })
    expect(answer.status).toBe(status)
    if (status === 200) return
    expect(answer.code).toBe('TargetNotConnected')
    expect(answer.message).toBe(
      `${node} runs amazon-ssm-agent version ${version}, but document AWS-StartPortForwardingSessionToRemoteHost forwards to a remote host, which needs version 3.1.1374.0 or later. Update the agent on the node.`,
    )
    expect((await start(node, { DocumentName: 'AWS-StartPortForwardingSession' })).status).toBe(200)
  })

  test('of an unknown version is not asked to connect to a remote host', async () => {
    for (const [name, version] of [[undefined], ['\x1b[2Jagent', 'new\x07']]) {
      const node = await nodeWith(name, version)
      const { code, message } = await start(node, remote)
      expect(code).toBe('TargetNotConnected')
      expect(message).toMatch(/^mi-[0-9a-f]{17} runs an agent of an unknown version, but document /)
      expect((await start(node, { DocumentName: 'AWS-StartSSHSession' })).status).toBe(200)
    }
  })

  test('may be older than a session type', async () => {
    const node = await nodeWith('amazon-ssm-agent', '2.3.667.0')
    const Parameters = { command: ['top'] }
    const cases = [
      ['AWS-StartInteractiveCommand', '2.3.668.0', { Parameters }],
      ['AWS-StartNonInteractiveCommand', '3.0.1124.0', { Parameters }],
      ['AWS-StartSSHSession', '2.3.672.0', {}],
    ] as const
    for (const [DocumentName, version, more] of cases) {
      const { code, message } = await start(node, { DocumentName, ...more })
      expect(code).toBe('TargetNotConnected')
      expect(message).toContain(`need version ${version} or later`)
    }
    expect((await start(node, {})).status).toBe(200)
  })

  test('must be ours to keep to the destinations of a document', async () => {
    const properties = { portNumber: '5432', host: '{{ host }}', allowedDestinations: ['db.internal:5432'] }
    const parameters = { host: { type: 'String' } }
    await create('only-the-database', { sessionType: 'Port', parameters, properties })
    const input = { DocumentName: 'only-the-database', Parameters: { host: ['db.internal'] } }
    const stock = await nodeWith('amazon-ssm-agent', '3.3.0.0')
    const refused = await start(stock, input)
    expect(refused.code).toBe('TargetNotConnected')
    expect(refused.message).toContain(
      'document only-the-database restricts where connections go (properties.allowedDestinations)',
    )
    expect((await start(await nodeWith(undefined), input)).code).toBe('TargetNotConnected')
    expect((await start(await nodeWith('sallyport-agent', '3.3.2299.0'), input)).status).toBe(200)
  })
})

describe('the number of sessions at a time', () => {
  const start = (Target: string, credentials = api.administrator) =>
    api.call('StartSession', { Target }, credentials)

  test('is limited for a node, until one of them has ended', async () => {
    const node = await api.onlineNode()
    api.sessionQuotas.perNode = 3
    try {
      const answers = await Promise.all([1, 2, 3, 4, 5].map(() => start(node)))
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(3)
      const refused = answers.find(({ status }) => status !== 200)
      expect(refused).toMatchObject({ status: 400, code: 'ServiceQuotaExceededException' })
      expect(refused?.message).toContain(`${node} has 3 sessions already, which is the most at a time.`)
      expect(await api.store.tasks.listForNode(scope, node), 'and the node owes nothing').toHaveLength(3)
      const started = answers.find(({ status }) => status === 200)
      await api.ok('TerminateSession', { SessionId: started?.body.SessionId })
      expect((await start(node)).status).toBe(200)
    } finally {
      api.sessionQuotas.perNode = 1000
    }
  })

  test('is limited for a person, wherever the sessions are', async () => {
    const [first, second] = [await api.onlineNode(), await api.onlineNode()]
    const greedy = await api.user('greedy')
    api.sessionQuotas.perOwner = 2
    try {
      await start(first, greedy)
      await start(second, greedy)
      const refused = await start(second, greedy)
      expect(refused).toMatchObject({ status: 400, code: 'ServiceQuotaExceededException' })
      expect(refused.message).toMatch(/^You have 2 sessions already/)
      expect((await start(second, await api.user('modest'))).status).toBe(200)
    } finally {
      api.sessionQuotas.perOwner = 5000
    }
  })
})

describe('the user that a session runs as', () => {
  const runAs = (user: string) => ({ runAsEnabled: true, runAsDefaultUser: user })
  const start = async (userName: string, input: object) => {
    const credentials = await api.user(userName)
    const node = await api.onlineNode()
    return async (tag?: string) => {
      const tags = { UserName: userName, 'Tags.member.1.Key': 'SSMSessionRunAs' }
      if (tag !== undefined) await api.iam('TagUser', { ...tags, 'Tags.member.1.Value': tag })
      const answer = await api.call('StartSession', { Target: node, ...input }, credentials)
      if (answer.status !== 200) return answer.message
      const session = await api.store.sessions.get(scope, String(answer.body.SessionId))
      const { RunAsUser } = await taskOf(node, answer.body.SessionId)
      expect(session?.runAsUser ?? '').toBe(RunAsUser)
      return RunAsUser
    }
  }

  test("is the caller's tag, else the document's", async () => {
    await create('as-operator', { sessionType: 'Standard_Stream', inputs: runAs('operator') })
    const session = await start('ina', { DocumentName: 'as-operator' })
    expect(await session()).toBe('operator')
    expect(await session('deploy')).toBe('deploy')
    expect(await session(' '), 'a blank tag is none').toBe('operator')
    const [words] = [{ ...runAs('operator'), runAsEnabled: 'true' }]
    await create('in-words', { sessionType: 'Standard_Stream', inputs: words })
    expect(await (await start('iris', { DocumentName: 'in-words' }))('deploy')).toBe('deploy')
  })

  test('is nobody, and no session, when nothing says who', async () => {
    await create('as-nobody', { sessionType: 'Standard_Stream', inputs: runAs('') })
    const session = await start('ivan', { DocumentName: 'as-nobody' })
    const message = await session()
    expect(message).toContain('Sessions by document as-nobody run as an operating system user')
    expect(message).toContain('aws iam tag-user --user-name ivan --tags Key=SSMSessionRunAs,Value=')
    expect(await session('deploy')).toBe('deploy')
  })

  test('is left to the agent where the document does not ask for one', async () => {
    await create('as-usual', { sessionType: 'Standard_Stream', inputs: { runAsDefaultUser: 'operator' } })
    const session = await start('igor', { DocumentName: 'as-usual' })
    expect(await session('deploy')).toBe('')
  })

  test("holds for Amazon's documents by the account's preferences, but for connections", async () => {
    const Name = 'SSM-SessionManagerRunShell'
    await create(Name, {
      sessionType: 'Standard_Stream',
      inputs: { ...runAs(''), idleSessionTimeout: '7' },
    })
    try {
      const command = { DocumentName: 'AWS-StartInteractiveCommand', Parameters: { command: ['id'] } }
      const session = await start('ida', command)
      expect(await session()).toContain('nothing says which')
      expect(await session('deploy')).toBe('deploy')
      expect(await (await start('ilse', {}))('deploy')).toBe('deploy')
      expect(await (await start('ian', { DocumentName: 'AWS-StartSSHSession' }))()).toBe('')
      const [latest] = (await api.store.sessions.list(scope, 'Active', { owner: `${arn}ian` }, { limit: 1 }))
        .items
      expect(latest?.idleTimeoutMs).toBe(7 * 60_000)
    } finally {
      await api.ok('DeleteDocument', { Name })
    }
  })
  const arn = 'arn:aws:iam::123456789012:user/'
})

test('a command can be asked to keep its two outputs apart', async () => {
  const node = await api.onlineNode()
  const start = (Parameters: object) =>
    api.call('StartSession', { Target: node, DocumentName: 'AWS-StartNonInteractiveCommand', Parameters })
  const apart = await start({ command: ['ls'], separateOutputStream: ['true'] })
  const task = await taskOf(node, apart.body.SessionId)
  expect(task.Parameters).toEqual({ command: 'ls', separateOutputStream: 'true' })
  const { linux } = (task.DocumentContent as { properties: { linux: object } }).properties
  expect(linux).toEqual({
    commands: '{{ command }}',
    runAsElevated: false,
    separateOutputStream: '{{ separateOutputStream }}',
  })
  const plain = await start({ command: ['ls'] })
  expect((await taskOf(node, plain.body.SessionId)).Parameters).toMatchObject({
    separateOutputStream: 'false',
  })
  expect((await start({ command: ['ls'], separateOutputStream: ['yes'] })).code).toBe('InvalidParameters')
})

test('sessions are ended by their owner or the administrator, resumed by their owner, touched by no node', async () => {
  const node = await api.onlineNode()
  const olga = await api.user('olga')
  const session = async () => (await api.ok('StartSession', { Target: node }, olga)).SessionId
  const status = async (id: unknown) => (await api.store.sessions.get(scope, String(id)))?.status
  for (const credentials of [olga, api.administrator]) {
    const SessionId = await session()
    await api.ok('TerminateSession', { SessionId }, credentials)
    expect(await status(SessionId)).toBe('Terminated')
  }
  const SessionId = await session()
  for (const operation of ['TerminateSession', 'ResumeSession', 'StartSession']) {
    const input = { SessionId, Target: node }
    expect(await api.code(operation, input, api.asNode(node)), operation).toBe('AccessDeniedException')
  }
  expect(await api.code('ResumeSession', { SessionId }, api.administrator)).toBe('DoesNotExistException')
  expect(await api.code('ResumeSession', { SessionId }, olga)).toBe('')
  expect(await status(SessionId)).toBe('Connecting')
})
