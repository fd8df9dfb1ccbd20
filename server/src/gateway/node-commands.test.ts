import { randomUUID } from 'node:crypto'
import { decodeAgentJob, readJobId } from '@sallyport/protocol/run-command'
import { describe, expect, test } from 'vitest'
import { testScope as scope } from '../store/testing.ts'
import { FIRST_JOB_AFTER } from './command-channel.ts'
import { agentSessions, eventually, type GatewayForTest, gateways } from './gateway-testing.ts'
import { decode, type FakeConnection, word } from './testing.ts'

// Nodes, the gateway and what becomes of commands, together. The nodes are the test's.

const setUp = gateways()

async function ourNode(server: GatewayForTest, nodeId: string): Promise<FakeConnection> {
  const connection = await server.online(nodeId)
  connection.receive(agentSessions())
  return connection
}

/** SendCommand */
async function send(server: GatewayForTest, nodeIds: readonly string[]): Promise<string> {
  const commandId = randomUUID()
  const documentContent = { schemaVersion: '2.2', mainSteps: [{ name: 'say', action: 'aws:runShellScript' }] }
  await server.commands.send(
    {
      commandId,
      documentName: 'Say',
      documentVersion: '1',
      documentContent,
      boundParameters: {},
      parameters: {},
      instanceIds: [...nodeIds],
      targets: [],
      comment: '',
      ownerArn: 'arn:aws:iam::123456789012:user/alice',
      requestedAt: server.clock.now(),
      timeoutSeconds: 3600,
      executionMs: 3_600_000,
      maxConcurrency: '50',
      maxErrors: '0',
      settings: {},
    },
    nodeIds.map(nodeId => ({ nodeId, nodeName: '' })),
  )
  return commandId
}

const topicsAndIds = (connection: FakeConnection) =>
  connection.sent
    .map(decode)
    .filter(({ messageType }) => messageType === 'agent_job')
    .map(({ payload }) => decodeAgentJob(payload))
const jobs = (connection: FakeConnection) =>
  topicsAndIds(connection).map(({ jobId }) => readJobId(jobId)?.commandId)
const replyAcks = (connection: FakeConnection) =>
  connection.types.filter(type => type === 'agent_job_reply_ack').length

const jobId = (commandId: string, nodeId: string) => `aws.ssm.${commandId}.${nodeId}`
const ack = (id: string, statusCode = '200') =>
  word('agent_job_ack', {
    jobId: id,
    acknowledgedMessageId: '',
    createdDate: '',
    statusCode,
    errorMessage: 'e',
  })
const step = { status: 'Success', code: 0, name: 'say', output: 'hello', standardOutput: 'hello' }
const reply = (id: string, documentStatus: string, runtimeStatus: object | null = null) =>
  word('agent_job_reply', {
    schemaVersion: 1,
    jobId: id,
    content: JSON.stringify({ documentStatus, documentTraceOutput: '', runtimeStatus }),
    topic: 'aws.ssm.sendCommand',
  })

async function statusOf(server: GatewayForTest, commandId: string, nodeId: string) {
  return (await server.store.invocations.get(scope, commandId, nodeId))?.status
}

describe('a command', () => {
  test('goes to a node that is online at once, and what it says is kept', async () => {
    const server = setUp()
    const node = await server.node()
    const connection = await ourNode(server, node)
    const commandId = await send(server, [node])
    await eventually(() => jobs(connection)).toEqual([commandId])
    const id = jobId(commandId, node)
    expect(JSON.parse(topicsAndIds(connection)[0]?.content ?? '')).toMatchObject({ CommandId: commandId })
    connection.receive(ack(id), reply(id, 'InProgress'))
    await eventually(() => statusOf(server, commandId, node)).toBe('InProgress')
    // The last two are sent at the same time, and often come in the wrong order (observed.md 6).
    connection.receive(reply(id, 'Success'), reply(id, 'InProgress', { say: step }))
    await eventually(() => replyAcks(connection)).toBe(3)
    expect(await statusOf(server, commandId, node)).toBe('Success')
    expect(await server.store.stepResults.of(scope, commandId, [node])).toMatchObject([
      { stepName: 'say', standardOutput: 'hello' },
    ])
    // An agent that heard nothing of it says it all again.
    connection.receive(reply(id, 'Success'), reply(id, 'InProgress'))
    await eventually(() => replyAcks(connection)).toBe(5)
    expect(await statusOf(server, commandId, node)).toBe('Success')
    expect(connection.closedWith).toBeUndefined()
  })

  test('waits for a node that is away, and for the processors of a stock agent', async () => {
    const server = setUp()
    const node = await server.node()
    const commandId = await send(server, [node])
    const connection = await server.online(node)
    await server.clock.play(FIRST_JOB_AFTER - 1)
    expect(jobs(connection)).toEqual([])
    await server.clock.play(1)
    await eventually(() => jobs(connection)).toEqual([commandId])
  })

  test('that a full agent refuses comes again until it is taken', async () => {
    const server = setUp()
    const node = await server.node()
    const connection = await ourNode(server, node)
    const commandId = await send(server, [node])
    for (let refusals = 1; refusals <= 3; refusals++) {
      await eventually(() => jobs(connection).length).toBe(refusals)
      connection.receive(ack(jobId(commandId, node), '51402'))
      await eventually(() => statusOf(server, commandId, node)).toBe('Delayed')
      await eventually(async () => {
        await server.clock.play(1_000)
        return jobs(connection).length
      }).toBe(refusals + 1)
    }
    connection.receive(ack(jobId(commandId, node)))
    await eventually(() => statusOf(server, commandId, node)).toBe('InProgress')
  })

  test('that an agent cannot run has failed, whatever else it says', async () => {
    const server = setUp()
    const node = await server.node()
    const connection = await ourNode(server, node)
    const commandId = await send(server, [node])
    await eventually(() => jobs(connection)).toEqual([commandId])
    const id = jobId(commandId, node)
    connection.receive(ack(id, '51408'), reply(id, 'Failed'))
    await eventually(() => replyAcks(connection)).toBe(1)
    expect(await statusOf(server, commandId, node)).toBe('Failed')
  })

  test('whose acknowledgement was lost with its channel, or with its server, is taken all the same', async () => {
    const server = setUp()
    const node = await server.node()
    const first = await ourNode(server, node)
    const commandId = await send(server, [node])
    await eventually(() => jobs(first)).toEqual([commandId])
    first.lose()
    const second = await ourNode(server, node)
    await eventually(() => jobs(second)).toEqual([commandId])
    server.gateway.close()
    await server.commands.close()
    const restarted = setUp(server.clock)
    await restarted.commands.start()
    const third = await ourNode(restarted, node)
    await eventually(() => jobs(third)).toEqual([commandId])
    const id = jobId(commandId, node)
    third.receive(ack(id, '51405'))
    await eventually(() => statusOf(restarted, commandId, node)).toBe('InProgress')
    third.lose()
    const fourth = await ourNode(restarted, node)
    fourth.receive(reply(id, 'Success'))
    await eventually(() => statusOf(restarted, commandId, node)).toBe('Success')
    expect(jobs(fourth)).toEqual([])
  })

  test('is cancelled by a job of its own, and ends when its node says so', async () => {
    const server = setUp()
    const node = await server.node()
    const connection = await ourNode(server, node)
    const commandId = await send(server, [node])
    await eventually(() => jobs(connection)).toEqual([commandId])
    connection.receive(ack(jobId(commandId, node)))
    await eventually(() => statusOf(server, commandId, node)).toBe('InProgress')
    await server.commands.cancel(commandId)
    await eventually(() => topicsAndIds(connection).length).toBe(2)
    const cancel = topicsAndIds(connection)[1]
    expect(cancel?.topic).toMatch(/^aws\.ssm\.cancelCommand/)
    expect(JSON.parse(cancel?.content ?? '')).toEqual({ CancelMessageId: jobId(commandId, node) })
    connection.receive(ack(cancel?.jobId ?? ''), reply(jobId(commandId, node), 'Cancelled'))
    await eventually(() => statusOf(server, commandId, node)).toBe('Cancelled')
    await server.clock.play(60_000)
    expect(topicsAndIds(connection)).toHaveLength(2)
  })

  test('of another node is none of a node’s business', async () => {
    const server = setUp()
    const [node, stranger] = [await server.node(), await server.node()]
    const commandId = await send(server, [node])
    const connection = await ourNode(server, stranger)
    const id = jobId(commandId, node)
    connection.receive(ack(id), reply(id, 'Success', { say: step }), ack(id, '51406'))
    // Nor is one that was never for it.
    const own = jobId(commandId, stranger)
    connection.receive(ack(own), ack(own, '51406'), reply(own, 'Success', { say: step }))
    await eventually(() => replyAcks(connection)).toBe(2)
    expect(await statusOf(server, commandId, node)).toBe('Pending')
    expect(await server.store.stepResults.of(scope, commandId, [node, stranger])).toEqual([])
  })

  test('goes to each of two hundred nodes', async () => {
    const server = setUp()
    const nodes = await Promise.all(Array.from({ length: 200 }, () => server.node()))
    const connections = await Promise.all(nodes.map(node => ourNode(server, node)))
    const commandId = await send(server, nodes)
    for (let done = 0; done < nodes.length; ) {
      const waiting = connections.filter(
        connection => jobs(connection).length > 0 && replyAcks(connection) === 0,
      )
      for (const connection of waiting) {
        const id = topicsAndIds(connection)[0]?.jobId ?? ''
        connection.receive(ack(id), reply(id, 'Success'))
      }
      await eventually(() => waiting.every(connection => replyAcks(connection) === 1)).toBe(true)
      const now = connections.filter(connection => replyAcks(connection) === 1).length
      if (now === done) {
        // They are told a few at a time.
        await server.clock.play(5)
        await eventually(() => connections.some(c => jobs(c).length > 0 && replyAcks(c) === 0)).toBe(true)
      }
      done = now
    }
    expect(await server.store.invocations.counts(scope, commandId)).toEqual([
      { status: 'Success', details: 'Success', count: 200 },
    ])
    expect(connections.every(connection => jobs(connection).length === 1)).toBe(true)
  })
})
