import { createHash } from 'node:crypto'
import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { type BusMessage, nodeSubject } from '@sallyport/server/bus/bus'
import type { NewCommand } from '@sallyport/server/commands/commands'
import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { HIDDEN_MS } from '../../delivered-messages.ts'
import { HOLD_MS } from '../../held-polls.ts'
import { type ApiForTest, openApi, read } from '../../testing.ts'

// What amazon-ssm-agent 3.3 polls for until its control channel is up (control-plane.md 9, observed.md 2).

const PREFIX = 'EC2WindowsMessageDeliveryService'
const MessagesRequestId = 'b6b1a1d2-9a4a-4d57-8a2e-0f4c4f6d1f11'
let api: ApiForTest
let node: string
let other: string

beforeAll(async () => {
  api = await openApi()
  node = await api.onlineNode()
  other = await api.node()
})
afterAll(() => api.dispose())

const call = async (
  operation: string,
  input: object,
  credentials: Credentials = api.asNode(node),
  gone = new AbortController().signal,
) => {
  const request = api.signed(api.jsonRequest(operation, input, PREFIX), credentials, {
    service: 'ec2messages',
  })
  return read(await api.handle({ ...request, gone }))
}
const poll = (gone?: AbortSignal) =>
  call(
    'GetMessages',
    { Destination: node, MessagesRequestId, VisibilityTimeoutInSeconds: 10 },
    api.asNode(node),
    gone,
  )
const held = () => expect.poll(() => api.polls.size, { timeout: 5_000 }).toBe(1)

describe('GetMessages', () => {
  test('is held open, and answers with an empty list before the agent gives up', async () => {
    const answer = poll()
    await held()
    await api.clock.play(HOLD_MS)
    expect(await answer).toMatchObject({
      status: 200,
      body: { Destination: node, MessagesRequestId, Messages: [] },
    })
    expect(HOLD_MS, 'Mds.StopTimeoutMillis').toBeLessThan(20_000)
  })

  test('ends when the agent has gone, with nothing left of it', async () => {
    const caller = new AbortController()
    const answer = poll(caller.signal)
    await held()
    caller.abort()
    expect((await answer).status).toBe(200)
    expect([api.polls.size, api.clock.pending]).toEqual([0, 0])
  })

  test("is for the node itself, with its role's credentials", async () => {
    const input = { Destination: node, MessagesRequestId }
    expect((await call('GetMessages', input, api.asNode(other))).code).toBe('AccessDeniedException')
    expect((await call('GetMessages', input, api.administrator)).code).toBe('AccessDeniedException')
    const unsigned = read(await api.handle(api.jsonRequest('GetMessages', input, PREFIX)))
    expect(unsigned.code).toBe('MissingAuthenticationTokenException')
    const forSsm = api.signed(api.jsonRequest('GetMessages', input, PREFIX), api.asNode(node))
    expect(read(await api.handle(forSsm)).code).toBe('InvalidSignatureException')
    expect((await call('GetMessages', { Destination: 'x', MessagesRequestId })).code).toBe(
      'ValidationException',
    )
    expect(api.polls.size).toBe(0)
  })
})

describe('an agent without a control channel', () => {
  type Message = Record<'MessageId' | 'Topic' | 'Payload' | 'CreatedDate' | 'PayloadDigest', string>
  const documentContent = { schemaVersion: '2.2', mainSteps: [{ name: 'say', action: 'aws:runShellScript' }] }
  let old: string
  let sent = 0

  beforeEach(async () => {
    old = await api.node()
    return () => vi.restoreAllMocks()
  })

  /** SendCommand */
  const send = async (nodeIds: readonly string[], more: Partial<NewCommand> = {}) => {
    const commandId = `55b78ece-7a7f-4198-aaf4-${String(++sent).padStart(12, '0')}`
    await api.commands.send(
      {
        commandId,
        documentName: 'Say',
        documentVersion: '1',
        documentContent,
        boundParameters: { words: ['hello'] },
        parameters: {},
        instanceIds: [...nodeIds],
        targets: [],
        comment: '',
        ownerArn: 'arn:aws:iam::123456789012:user/alice',
        requestedAt: api.now,
        timeoutSeconds: 3600,
        executionMs: 3_600_000,
        maxConcurrency: '50',
        maxErrors: '0',
        settings: {},
        ...more,
      },
      nodeIds.map(nodeId => ({ nodeId, nodeName: '' })),
    )
    return commandId
  }
  const ask = async (nodeId = old): Promise<Message[]> => {
    const input = { Destination: nodeId, MessagesRequestId, VisibilityTimeoutInSeconds: 10 }
    const { body, code } = await call('GetMessages', input, api.asNode(nodeId))
    expect(code).toBeUndefined()
    return body.Messages as Message[]
  }
  /** A poll that is answered with nothing, when its time is over. */
  const askInVain = async () => {
    const answer = ask()
    await held()
    await api.clock.play(HOLD_MS)
    expect(await answer).toEqual([])
  }
  const say = (operation: string, MessageId: string, more: object = {}) =>
    call(operation, { MessageId, ...more }, api.asNode(old))
  const reply = (messageId: string, documentStatus: string, runtimeStatus: object | null = null) =>
    say('SendReply', messageId, {
      Payload: JSON.stringify({ documentStatus, documentTraceOutput: '', runtimeStatus }),
      ReplyId: '3f1d7b61-5f31-4b0e-9a55-6f6c6fbb1b01',
      DeliveryOptions: { ExpiresAfter: '1' },
    })
  const statusOf = async (commandId: string, nodeId = old) =>
    (await api.store.invocations.get(scope, commandId, nodeId))?.status
  const step = {
    status: 'Success',
    code: 0,
    name: 'aws:runShellScript',
    output: 'hello',
    standardOutput: 'hello',
  }

  test('is told of a command while it waits, and everything that it says of it is kept', async () => {
    const answer = ask()
    await held()
    const commandId = await send([old])
    const [message] = await answer
    const MessageId = `aws.ssm.${commandId}.${old}`
    expect(message).toEqual({
      MessageId,
      Destination: old,
      Topic: expect.stringMatching(/^aws\.ssm\.sendCommand/),
      Payload: expect.any(String),
      CreatedDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      PayloadDigest: createHash('sha256').update(String(message?.Payload)).digest('hex'),
    })
    expect(JSON.parse(String(message?.Payload))).toMatchObject({
      CommandId: commandId,
      DocumentName: 'Say',
      DocumentContent: documentContent,
      Parameters: { words: ['hello'] },
      CloudWatchOutputEnabled: 'false',
    })
    expect(await statusOf(commandId)).toBe('Pending')
    // control-plane.md 9: in this order.
    expect((await reply(MessageId, 'InProgress')).status).toBe(200)
    expect((await say('AcknowledgeMessage', MessageId)).body).toEqual({})
    expect(await statusOf(commandId)).toBe('InProgress')
    await reply(MessageId, 'InProgress', { say: step })
    expect(await reply(MessageId, 'Success', {})).toMatchObject({ status: 200, body: { MessageId } })
    expect(await statusOf(commandId)).toBe('Success')
    const [result] = await api.store.stepResults.of(scope, commandId, [old])
    expect(result).toMatchObject({ stepName: 'say', code: 0, standardOutput: 'hello' })
    await askInVain()
  })

  test('is told when it asks later, of ten commands at most, and never again of what it has', async () => {
    const all = []
    for (let i = 0; i < 12; i++) all.push(`aws.ssm.${await send([old])}.${old}`)
    const first = await ask()
    expect(first.map(({ MessageId }) => MessageId)).toEqual(all.slice(0, 10))
    const second = await ask()
    expect(second.map(({ MessageId }) => MessageId)).toEqual(all.slice(10))
    for (const { MessageId } of [...first, ...second]) await say('AcknowledgeMessage', MessageId)
    await api.clock.play(HIDDEN_MS)
    await askInVain()
  })

  test('is told again of what it does not acknowledge, after ten seconds', async () => {
    const commandId = await send([old])
    expect(await ask()).toHaveLength(1)
    const timers = api.clock.pending
    const answer = ask()
    // One for the end of the hold, one for the message.
    await expect.poll(() => api.clock.pending, { interval: 2 }).toBe(timers + 2)
    await api.clock.play(HIDDEN_MS)
    const [again] = await answer
    expect(again?.MessageId).toBe(`aws.ssm.${commandId}.${old}`)
    // It had it already, and says so in its way.
    expect((await say('DeleteMessage', `aws.ssm.${commandId}.${old}`)).body).toEqual({})
    await api.clock.play(HIDDEN_MS)
    await askInVain()
  })

  test('is told to cancel under an id of its own', async () => {
    const commandId = await send([old])
    const MessageId = `aws.ssm.${commandId}.${old}`
    await ask()
    await say('AcknowledgeMessage', MessageId)
    const answer = ask()
    await held()
    await api.commands.cancel(commandId)
    const [cancel] = await answer
    expect(cancel).toMatchObject({
      MessageId: expect.stringMatching(/^aws\.ssm\.[0-9a-f-]{36}\.mi-/),
      Topic: expect.stringMatching(/^aws\.ssm\.cancelCommand/),
      Payload: JSON.stringify({ CancelMessageId: MessageId }),
    })
    const cancelId = String(cancel?.MessageId)
    expect(cancelId).not.toBe(MessageId)
    expect((await reply(cancelId, 'InProgress')).status).toBe(200)
    expect((await say('AcknowledgeMessage', cancelId)).status).toBe(200)
    expect(await statusOf(commandId)).toBe('Cancelling')
    await reply(MessageId, 'Cancelled', {})
    expect(await statusOf(commandId)).toBe('Cancelled')
    await api.clock.play(HIDDEN_MS)
    await askInVain()
  })

  test.each(['NoHandlerExists', 'InternalHandlerException'])(
    'that says %s has failed for good',
    async type => {
      const commandId = await send([old])
      await ask()
      const failed = await say('FailMessage', `aws.ssm.${commandId}.${old}`, { FailureType: type })
      expect(failed).toMatchObject({ status: 200, body: {} })
      expect(await statusOf(commandId)).toBe('Failed')
    },
  )

  test('is told nothing here when it has a control channel', async () => {
    await send([old])
    await api.store.nodes.setConnected(scope, old, { epoch: api.now, server: 's', now: api.now })
    await askInVain()
    await api.store.nodes.setDisconnected(scope, old, { epoch: api.now, now: api.now })
    expect(await ask()).toHaveLength(1)
  })

  test('that says what makes no sense is told so', async () => {
    const commandId = await send([old])
    const MessageId = `aws.ssm.${commandId}.${old}`
    await ask()
    const answer = await reply(MessageId, 'Finished')
    expect(answer.code).toBe('ValidationException')
    expect(answer.message).toBe('Payload: "Finished" is not the status of a command')
    expect(await statusOf(commandId)).toBe('Pending')
  })

  test('cannot speak of a command that waits for its turn', async () => {
    const commandId = await send([other, old], { maxConcurrency: '1' })
    for (const operation of ['AcknowledgeMessage', 'DeleteMessage']) {
      const { code } = await say(operation, `aws.ssm.${commandId}.${old}`)
      expect(code, operation).toBe('InvalidMessageIdException')
    }
    expect((await reply(`aws.ssm.${commandId}.${old}`, 'Success')).code).toBe('InvalidMessageIdException')
    expect(await statusOf(commandId)).toBe('Pending')
  })

  test('that has gone is looked after no more', async () => {
    const caller = new AbortController()
    const input = { Destination: old, MessagesRequestId }
    const answer = call('GetMessages', input, api.asNode(old), caller.signal)
    await held()
    const owed = vi.spyOn(api.commands, 'owed')
    const event: BusMessage = { type: 'commands' }
    await api.bus.publish(nodeSubject(scope, old), event)
    await expect.poll(() => owed.mock.calls.length).toBe(1)
    await api.bus.publish(nodeSubject(scope, old), { type: 'tasks' })
    caller.abort()
    await answer
    await api.bus.publish(nodeSubject(scope, old), event)
    const [, until] = [await api.commands.owed(old), owed.mock.calls.length]
    expect(until).toBe(2)
  })
})

describe('messages that were never delivered', () => {
  const id = (nodeId: string) => `aws.ssm.55b78ece-7a7f-4198-aaf4-d8c8a3e960e6.${nodeId}`
  const ReplyId = '3f1d7b61-5f31-4b0e-9a55-6f6c6fbb1b01'
  const operations: Array<[string, object]> = [
    ['AcknowledgeMessage', {}],
    ['SendReply', { Payload: '{}', ReplyId, DeliveryOptions: { ExpiresAfter: '1' } }],
    ['FailMessage', { FailureType: 'NoHandlerExists' }],
    ['DeleteMessage', {}],
  ]

  test.each(operations)('%s says so, and tells other nodes nothing', async (operation, input) => {
    const unknown = await call(operation, { MessageId: id(node), ...input })
    expect(unknown).toMatchObject({ status: 400, code: 'InvalidMessageIdException' })
    expect(unknown.message).toBe(`There is no message ${id(node)} for ${node}.`)
    for (const MessageId of [id(other), 'aws.ssm.no-node-at-all', `aws.ssm..${node}`, `x.${node}`]) {
      expect((await call(operation, { MessageId, ...input })).code, MessageId).toBe('AccessDeniedException')
    }
    expect((await call(operation, input)).code).toBe('ValidationException')
  })
})

test('GetEndpoint says where the node asked', async () => {
  expect((await call('GetEndpoint', { Destination: node })).body).toEqual({
    Endpoint: 'https://sallyport.example:8443',
  })
  expect((await call('GetEndpoint', { Destination: other })).code).toBe('AccessDeniedException')
})

test('what is not among them is unknown, which no agent minds', async () => {
  expect(await call('GetCoffee', {})).toMatchObject({ status: 400, code: 'UnknownOperationException' })
})
