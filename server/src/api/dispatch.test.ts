import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { StoreError } from '../store/errors.ts'
import { type ApiForTest, HOST, openApi, publicKeyText, read } from './testing.ts'

let api: ApiForTest

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

const form = (body: string, more: object = {}) =>
  api.request({
    headers: [
      ['Host', HOST],
      ['Content-Type', 'application/x-www-form-urlencoded'],
    ],
    body: Buffer.from(body),
    ...more,
  })
const identity = 'Action=GetCallerIdentity&Version=2011-06-15'
const channel = (kind: 'control' | 'data', id: string) => ({
  ...api.jsonRequest('', { MessageSchemaVersion: '1.0', RequestId: 'r', ClientId: '' }),
  path: `/v1/${kind}-channel/${id}`,
})

describe('an answer', () => {
  test('in JSON has its type and the number of its request, which the log has too', async () => {
    const { status, headers, body } = await api.handle(
      api.signed(
        api.jsonRequest('GetConnectionStatus', { Target: 'mi-0123456789abcdef0' }),
        api.administrator,
      ),
    )
    expect(status).toBe(200)
    expect(headers['content-type']).toBe('application/x-amz-json-1.1')
    expect(JSON.parse(Buffer.from(body).toString())).toEqual({
      Target: 'mi-0123456789abcdef0',
      Status: 'notconnected',
    })
    expect(api.lines.at(-1)).toMatchObject({
      requestId: headers['x-amzn-requestid'],
      service: 'ssm',
      operation: 'GetConnectionStatus',
      caller: 'arn:aws:iam::123456789012:user/admin',
      address: '192.0.2.1',
      status: 200,
      msg: 'request',
    })
  })

  test('in the query protocol is XML, by POST and by GET', async () => {
    const get = api.request({ method: 'GET', headers: [['Host', HOST]], query: identity })
    for (const request of [form(identity), get]) {
      const answer = await api.handle(api.signed(request, api.administrator, { service: 'sts' }))
      expect(answer.status).toBe(200)
      const text = Buffer.from(answer.body).toString()
      expect(text).toContain('<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">')
      expect(text).toContain('<Account>123456789012</Account>')
    }
  })

  test("of the message gateway is 201 and XML with a token, for the node's own channel", async () => {
    const node = await api.node()
    const request = api.signed(channel('control', node), api.asNode(node), { service: 'ssmmessages' })
    const { status, body } = await api.handle(request)
    expect(status).toBe(201)
    const token = /<TokenValue>(.+)<\/TokenValue>/.exec(Buffer.from(body).toString())?.[1] ?? ''
    const claim = { kind: 'control', channelId: node, nodeId: node } as const
    expect(api.channelTokens.check(token, claim, api.now)).toBe(true)
    expect(token.length).toBeLessThanOrEqual(300)
  })
})

describe('an error has the form of its protocol', () => {
  test('in JSON', async () => {
    const { status, headers, body } = await api.handle(
      api.jsonRequest('DescribeSessions', { State: 'Active' }),
    )
    expect(status).toBe(400)
    expect(headers['x-amzn-errortype']).toBe('MissingAuthenticationTokenException')
    expect(JSON.parse(Buffer.from(body).toString())).toEqual({
      __type: 'MissingAuthenticationTokenException',
      message: 'Missing Authentication Token',
    })
    expect(api.lines.at(-1)).toMatchObject({ level: 'warn', caller: 'anonymous', msg: 'request refused' })
  })

  test('in the query protocol', async () => {
    const { status, body } = await api.handle(form(identity))
    expect(status).toBe(403)
    expect(Buffer.from(body).toString()).toContain(
      '<Error><Type>Sender</Type><Code>MissingAuthenticationToken</Code>',
    )
  })

  test('at the message gateway, whose agents look for the name of the element', async () => {
    const [node, other] = [await api.node(), await api.node()]
    const request = api.signed(channel('control', other), api.asNode(node), { service: 'ssmmessages' })
    const { status, body } = await api.handle(request)
    expect(status).toBe(403)
    expect(Buffer.from(body).toString()).toMatch(/^<AccessDeniedException><Message>/)
  })
})

describe('what does not exist', () => {
  const json = (target: string) => ({
    ...api.jsonRequest('', {}),
    headers: [
      ['Host', HOST],
      ['X-Amz-Target', target],
    ] as Array<[string, string]>,
  })

  test('is said in the words of the protocol', async () => {
    const cases: Array<[Parameters<ApiForTest['handle']>[0], number, string]> = [
      [json('AmazonSSM.MakeCoffee'), 400, 'UnknownOperationException'],
      [json('AmazonSSM.constructor'), 400, 'UnknownOperationException'],
      [json('AmazonSSM'), 400, 'UnknownOperationException'],
      [json('constructor.name'), 400, 'UnknownOperationException'],
      [json('__proto__.x'), 400, 'UnknownOperationException'],
      [json(''), 400, 'UnknownOperationException'],
      [json('DynamoDB_20120810.ListTables'), 400, 'UnknownOperationException'],
      [form('Action=AssumeRoot&Version=2011-06-15'), 400, 'InvalidAction'],
      [form('Action=GetCallerIdentity&Version=constructor'), 400, 'InvalidAction'],
      [form(''), 404, 'UnknownOperationException'],
      [{ ...channel('data', 'x'), method: 'GET' }, 404, 'UnknownOperationException'],
      [channel('data', '%ff'), 404, 'UnknownOperationException'],
    ]
    for (const [request, status, code] of cases) {
      const answer = read(await api.handle(request))
      expect([answer.status, answer.code], JSON.stringify(request.headers)).toEqual([status, code])
    }
  })

  test('is not said to exist nowhere', async () => {
    const { message } = read(await api.handle(json('AmazonSSM.StartAutomationExecution')))
    expect(message).toBe("This version of Sallyport has no operation 'StartAutomationExecution'.")
  })
})

describe('input', () => {
  test('that is no JSON, no object, of another type or out of bounds is refused', async () => {
    const cases: Array<[unknown, string]> = [
      ['{"State":', 'SerializationException'],
      ['[]', 'SerializationException'],
      ['"x"', 'SerializationException'],
      [{ State: 7 }, 'SerializationException'],
      [{ State: ['Active'] }, 'SerializationException'],
      [{}, 'ValidationException'],
      [{ State: 'Both' }, 'ValidationException'],
      [{ State: 'Active', MaxResults: 201 }, 'ValidationException'],
      [{ State: 'Active', Filters: [] }, 'ValidationException'],
      [{ State: 'Active', NextToken: 'x'.repeat(5000) }, 'ValidationException'],
      [`${'['.repeat(1000)}${']'.repeat(1000)}`, 'SerializationException'],
    ]
    for (const [input, code] of cases) {
      expect(await api.code('DescribeSessions', input), JSON.stringify(input).slice(0, 80)).toBe(code)
    }
    expect(await api.code('DescribeSessions', { State: 'Active', Unknown: 1, constructor: 2 })).toBe('')
  })

  test('is looked at only once the caller is known', async () => {
    expect((await api.anonymous('DescribeSessions', '{')).code).toBe('MissingAuthenticationTokenException')
  })
})

describe('who may call what', () => {
  test('nodes call nothing that is for users, and speak for themselves', async () => {
    const [node, other] = [await api.node(), await api.node()]
    const asNode = api.asNode(node)
    const denied = await api.call('DescribeSessions', { State: 'Active' }, asNode)
    expect(denied.code).toBe('AccessDeniedException')
    expect(denied.message).toBe(
      `User: arn:aws:sts::123456789012:assumed-role/SSMServiceRole/${node} is not authorized to perform: ssm:DescribeSessions on resource: * because it is not for nodes`,
    )
    expect(await api.code('UpdateInstanceInformation', { InstanceId: node }, asNode)).toBe('')
    expect(await api.code('UpdateInstanceInformation', { InstanceId: other }, asNode)).toBe(
      'AccessDeniedException',
    )
    expect(await api.code('ListInstanceAssociations', { InstanceId: other }, asNode)).toBe(
      'AccessDeniedException',
    )
  })

  test('users call nothing that is for nodes', async () => {
    const node = await api.node()
    for (const [operation, input] of [
      ['UpdateInstanceInformation', { InstanceId: node }],
      ['ListInstanceAssociations', { InstanceId: node }],
      ['RequestManagedInstanceRoleToken', { Fingerprint: 'f' }],
      ['UpdateManagedInstancePublicKey', { NewPublicKey: publicKeyText, NewPublicKeyType: 'Rsa' }],
    ] as const) {
      expect(await api.code(operation, input), operation).toBe('AccessDeniedException')
    }
  })

  test('one operation needs no signature', async () => {
    const input = {
      Fingerprint: 'f',
      PublicKey: publicKeyText,
      ActivationId: crypto.randomUUID(),
      ActivationCode: 'x'.repeat(20),
    }
    expect((await api.anonymous('RegisterManagedInstance', input)).code).toBe('InvalidActivation')
  })
})

describe('what goes wrong inside', () => {
  const failing = async (error: unknown) => {
    const list = vi.spyOn(api.store.sessions, 'list').mockRejectedValueOnce(error)
    const answer = await api.call('DescribeSessions', { State: 'Active' })
    list.mockRestore()
    return answer
  }

  test('is told to the log and not to the caller, who gets the number to ask by', async () => {
    const answer = await failing(new Error('SELECT secret FROM keys'))
    expect(answer).toMatchObject({ status: 500, code: 'InternalServerError' })
    expect(answer.message).toMatch(
      /^An error occurred on the server side\. Its log has the cause under request id request-\d+\.$/,
    )
    const line = api.lines.find(({ msg }) => msg === 'request failed')
    expect(JSON.stringify(line)).toContain('SELECT secret FROM keys')
    expect(answer.message).toContain(String(line?.requestId))
  })

  test('is told when the caller can do something about it: the disk is full', async () => {
    const answer = await failing(new StoreError('full', 'SQLITE_FULL'))
    expect(answer).toMatchObject({
      status: 500,
      code: 'InternalServerError',
      message: 'The server cannot store anything: its disk is full. Nothing was changed.',
    })
  })

  test('is the fault of the caller when it made the page token up', async () => {
    expect((await failing(new StoreError('bad-token', 'x'))).code).toBe('InvalidNextToken')
  })
})
