import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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
const held = () => expect.poll(() => api.polls.size).toBe(1)

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
