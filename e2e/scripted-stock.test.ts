import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ScriptedScene } from './scripted-scene.ts'
import type { ScriptedStockAgent, Task } from './scripted-stock-agent.ts'
import { ScriptedStockPlugin } from './scripted-stock-plugin.ts'
import type { Stack } from './stack.ts'

// The stock agent and the stock plugin, played byte for byte against the server, with everything that is odd about
// them. What they say comes from e2e/recordings; stock-recordings.test.ts holds these against the real programs.

const START_TIMEOUT_S = 4
/** data-plane.md 7.2: nothing faster for one node. */
const LEAST_GAP_MS = 50
/** control-plane.md 9: the agent's own patience is 20 s. */
const LONGEST_POLL_MS = 16_000
const NODE = /^mi-[0-9a-f]{17}$/

let scene: ScriptedScene
let stack: Stack
let agent: ScriptedStockAgent
/** Of ec2messages, held open while the other tests run: what it is answered, and after how long, ms. */
let poll: Promise<{ answer: string; after: number }>

beforeAll(async () => {
  const serverEnv = { SALLYPORT_SESSION_START_TIMEOUT: String(START_TIMEOUT_S) }
  scene = await ScriptedScene.open({ serverEnv })
  ;({ stack, agent } = scene)
  const started = Date.now()
  poll = agent.call('GetMessages').then(answer => ({ answer, after: Date.now() - started }))
  // A failure is for the test to tell.
  poll.catch(() => undefined)
})

afterAll(() => scene?.[Symbol.asyncDispose]())

describe('an agent that comes online', () => {
  test('is registered without a signature, and gets all members of a role token for its own signature', async () => {
    expect(agent.nodeId).toMatch(NODE)
    const token = await agent.requestRoleToken()
    expect(token).toMatchObject({
      AccessKeyId: expect.stringMatching(/^ASIA/),
      SecretAccessKey: expect.stringMatching(/./),
      SessionToken: expect.stringMatching(/./),
      UpdateKeyPair: expect.any(Boolean),
    })
    expect(Number(token.TokenExpirationDate) - Date.now() / 1000).toBeGreaterThan(30 * 60)
  })

  test('may have signed the default port, which it does not send', async () => {
    await agent.requestRoleToken({ host: 'localhost', signedHost: 'localhost:443' })
  })

  test('gets {} for the empty ping and for the full one, and no associations', async () => {
    expect(await agent.call('UpdateInstanceInformation')).toBe('{}')
    expect(await agent.callLike(/AgentStatus/)).toBe('{}')
    expect(await agent.call('ListInstanceAssociations')).toBe('{"Associations":[]}')
  })

  test('is Online, with what it said of itself', async () => {
    const { InstanceInformationList } = await stack.api('describe-instance-information')
    expect(InstanceInformationList).toMatchObject([
      { InstanceId: agent.nodeId, PingStatus: 'Online', AgentVersion: '3.3.0.0', ComputerName: 'scripted' },
    ])
  })

  test('has its pings answered, with what they carried', async () => {
    agent.keepAlive()
    await expect.poll(() => agent.pongs).toEqual(['keepalive'])
  })

  test('is not disturbed by operations that there are not', async () => {
    await expect(agent.callUnknown('PutConfigurePackageResult')).resolves.toBe(400)
    expect(await agent.callLike(/AgentStatus/)).toBe('{}')
  })
})

describe('a session of a stock pair', () => {
  test('a shell: what it is told, what it says, and its end', async () => {
    const session = await scene.startSession()
    const worker = await agent.serve()
    const plugin = await ScriptedStockPlugin.open(stack, session)
    worker.stream.send(1, '$ ')
    await plugin.stream.until(({ text }) => text === '$ ')
    plugin.size()
    plugin.type('echo hi\n')
    await worker.stream.until(({ text }) => text === 'echo hi\n')
    worker.stream.send(1, 'echo hi\r\nhi\r\n$ ')
    await plugin.stream.until(({ text }) => text.endsWith('hi\r\n$ '))
    await Promise.all(
      [plugin, worker].map(({ stream }) => stream.until(({ unacknowledged }) => unacknowledged === 0)),
    )

    worker.state('Terminating')
    expect(await plugin.ended).toBe('')
    expect(await agent.complete('agent-shell', session.SessionId)).toEqual([{ transmissions: 1 }])
    await expect.poll(() => scene.statusOf(session.SessionId)).toBe('Terminated')
    // Nobody may be given what is not his, nor a frame that he cannot read.
    expect(plugin.stream.frames.map(({ messageType }) => messageType)).not.toContain('agent_session_state')
    for (const { stream } of [plugin, worker]) expect(stream.broken).toBeUndefined()
  })

  test('the task: JSON within JSON, inputs of the right types, single strings for parameters', async () => {
    const parameters = { portNumber: ['8080'], localPortNumber: ['0'] }
    const { SessionId } = await scene.startSession('AWS-StartPortForwardingSession', parameters)
    const { envelope, content }: Task = await agent.nextTask()
    expect(envelope).toMatchObject({ SchemaVersion: 1, TaskId: SessionId, Content: expect.any(String) })
    expect(content).toMatchObject({
      DocumentName: 'AWS-StartPortForwardingSession',
      SessionId,
      RunAsUser: '',
      SessionOwner: expect.stringContaining(':user/'),
      Parameters: { portNumber: '8080', localPortNumber: '0' },
      DocumentContent: {
        schemaVersion: '1.0',
        sessionType: 'Port',
        properties: { portNumber: '{{ portNumber }}', type: 'LocalPortForwarding' },
        inputs: expect.any(Object),
      },
    })
    await scene.terminate(SessionId)
  })

  test('many sessions at once come to the agent one after the other', async () => {
    const sessions = await Promise.all(Array.from({ length: 5 }, () => scene.startSession()))
    const times: number[] = []
    for (const _ of sessions) times.push((await agent.nextTask()).at)
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0))
    // What was sent 50 ms apart may arrive a little closer.
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(LEAST_GAP_MS - 10)
    for (const { SessionId } of sessions) await scene.terminate(SessionId)
  })

  test('a message in several websocket frames arrives as one, and pings are answered', async () => {
    const { worker, plugin, sessionId } = await scene.pair()
    const long = Buffer.from(`{"AgentVersion":"${'3'.repeat(9_000)}"}`)
    worker.stream.send(5, long)
    await plugin.stream.until(({ delivered }) => delivered.length === 1)
    expect(plugin.stream.delivered[0]?.payload.equals(long)).toBe(true)
    worker.keepAlive()
    await expect.poll(() => worker.pongs).toEqual(['keepalive'])
    await scene.terminate(sessionId)
  })

  test('a start that the agent says nothing to ends at the plugin, with the reason', async () => {
    const session = await scene.startSession()
    await agent.nextTask()
    await using plugin = await ScriptedStockPlugin.open(stack, session)
    expect(await plugin.ended).toMatch(/./)
    await expect.poll(() => scene.statusOf(session.SessionId)).toBe('Failed')
  })

  test('a failed session is reported twice, acknowledged twice, and ends once, with what the agent said', async () => {
    const { plugin, sessionId } = await scene.pair('AWS-StartPortForwardingSessionToRemoteHost', {
      host: ['169.254.169.254'],
      portNumber: ['80'],
      localPortNumber: ['0'],
    })
    const reports = await agent.complete('agent-failure', sessionId)
    expect(reports).toEqual([{ transmissions: 1 }, { transmissions: 1 }])
    expect(await plugin.ended).toContain('Forwarding to IP address 169.254.169.254 is forbidden')
    await expect.poll(() => scene.statusOf(sessionId)).toBe('Failed')
  })

  test('a session whose worker died is reported late, and ends with what the agent said', async () => {
    const { plugin, worker, sessionId } = await scene.pair('AWS-StartSSHSession', { portNumber: ['22'] })
    worker.drop()
    await agent.complete('agent-crash', sessionId)
    expect(await plugin.ended).toContain('document process failed unexpectedly')
  })

  test('an agent that was away when a session ended gets the word of it, in types that it takes', async () => {
    const { worker, plugin, sessionId } = await scene.shell()
    worker.drop()
    await scene.terminate(sessionId)
    expect(await plugin.ended).toBe('The session was ended by user/admin.')
    const { payload } = await agent.message('channel_closed', new RegExp(sessionId))
    expect(JSON.parse(String(payload))).toMatchObject({
      MessageType: 'channel_closed',
      SessionId: sessionId,
      SchemaVersion: 1,
      CreatedDate: expect.any(String),
    })
  })
})

test('the poll of ec2messages is answered in time, with an empty list', async () => {
  const { answer, after } = await poll
  expect(JSON.parse(answer)).toMatchObject({ Destination: agent.nodeId, Messages: [] })
  expect(after).toBeLessThan(LONGEST_POLL_MS)
  // An answer that comes at once makes the agent ask again and again.
  expect(after).toBeGreaterThan(LONGEST_POLL_MS / 2)
})
