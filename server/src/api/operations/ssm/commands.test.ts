import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'
import { commandsIn, NO_COMMAND, NO_NODE, type Row, SHELL, STEP } from './command-testing.ts'

let api: ApiForTest
let web: string
let db: string
const { sent, accept, step, reply, finish, twoSteps } = commandsIn(() => api)

beforeAll(async () => {
  api = await openApi()
  web = await api.node({ DefaultInstanceName: 'web' })
  db = await api.node()
  await twoSteps()
})
afterAll(() => api.dispose())

const invocationOf = (CommandId: string, InstanceId: string, more: object = {}) =>
  api.ok('GetCommandInvocation', { CommandId, InstanceId, ...more })
const invocations = async (input: object): Promise<Row[]> =>
  (await api.ok('ListCommandInvocations', input)).CommandInvocations as Row[]
const commands = async (input: object): Promise<Row[]> =>
  (await api.ok('ListCommands', input)).Commands as Row[]

describe('GetCommandInvocation', () => {
  test('is there as soon as SendCommand has answered, with nothing in it yet', async () => {
    const id = await sent([web], { Comment: 'hello' })
    expect(await invocationOf(id, web)).toEqual({
      CommandId: id,
      InstanceId: web,
      Comment: 'hello',
      DocumentName: SHELL,
      DocumentVersion: '1',
      PluginName: STEP,
      ResponseCode: -1,
      ExecutionStartDateTime: '',
      ExecutionElapsedTime: '',
      ExecutionEndDateTime: '',
      Status: expect.stringMatching(/^(Pending|InProgress)$/),
      StatusDetails: expect.stringMatching(/^(Pending|InProgress)$/),
      StandardOutputContent: '',
      StandardOutputUrl: '',
      StandardErrorContent: '',
      StandardErrorUrl: '',
      CloudWatchOutputConfig: { CloudWatchLogGroupName: '', CloudWatchOutputEnabled: false },
    })
  })

  test('says how it ended', async () => {
    const id = await sent([web])
    await finish(id, web, { status: 'Failed', code: 3, standardOutput: 'out', standardError: 'err' })
    expect(await invocationOf(id, web)).toMatchObject({
      ResponseCode: 3,
      ExecutionStartDateTime: new Date(api.now).toISOString(),
      ExecutionElapsedTime: 'PT1.234S',
      ExecutionEndDateTime: new Date(api.now + 1234).toISOString(),
      Status: 'Failed',
      StatusDetails: 'Failed',
      StandardOutputContent: 'out',
      StandardErrorContent: 'err',
    })
  })

  test('shows so much of the output as AWS does, and marks the cut', async () => {
    const id = await sent([web])
    const output = { standardOutput: 'o'.repeat(24_000), standardError: 'e'.repeat(8_001) }
    await finish(id, web, output)
    const { StandardOutputContent, StandardErrorContent } = await invocationOf(id, web)
    expect(StandardOutputContent).toBe(output.standardOutput)
    expect(StandardErrorContent).toHaveLength(8_000)
    expect(StandardErrorContent).toMatch(/^e+--output truncated--$/)
  })

  test('of several steps one has to be named, and each has a status of its own', async () => {
    const id = await sent([web], { DocumentName: 'TwoSteps', Parameters: {} })
    const unnamed = await api.call('GetCommandInvocation', { CommandId: id, InstanceId: web })
    expect(unnamed.code).toBe('InvalidPluginName')
    expect(unnamed.message).toContain('first, second')
    const statusOf = async (PluginName: string) => (await invocationOf(id, web, { PluginName })).Status
    await accept(id, web)
    expect([await statusOf('first'), await statusOf('second')]).toEqual(['InProgress', 'Pending'])
    await reply(id, web, 'InProgress', step('first', 'Failed', { code: 7 }))
    expect([await statusOf('first'), await statusOf('second')]).toEqual(['Failed', 'InProgress'])
    await reply(id, web, 'InProgress', step('second', 'Success'))
    await reply(id, web, 'Failed')
    expect([await statusOf('first'), await statusOf('second')]).toEqual(['Failed', 'Success'])
    expect(await invocationOf(id, web, { PluginName: 'first' })).toMatchObject({ ResponseCode: 7 })
  })

  test('refuses what is not there, and says what', async () => {
    const id = await sent([web])
    const get = (input: object) =>
      api.code('GetCommandInvocation', { CommandId: id, InstanceId: web, ...input })
    expect(await get({ CommandId: NO_COMMAND })).toBe('InvocationDoesNotExist')
    expect(await get({ InstanceId: db })).toBe('InvocationDoesNotExist')
    expect(await get({ CommandId: 'x'.repeat(36) })).toBe('InvalidCommandId')
    expect(await get({ CommandId: 'x' })).toBe('ValidationException')
    expect(await get({ PluginName: 'aws:nothing' })).toBe('InvalidPluginName')
    expect(await get({ PluginName: STEP })).toBe('')
    expect(await get({ CommandId: id.toUpperCase() })).toBe('')
  })
})

describe('ListCommandInvocations', () => {
  test('shows each node of a command, with its steps only where they are asked for', async () => {
    const id = await sent([web, db], { OutputS3BucketName: 'results' })
    await finish(id, web, { output: 'up 3 days' })
    const plain = await invocations({ CommandId: id })
    expect(plain.map(({ InstanceId }) => InstanceId).sort()).toEqual([web, db].sort())
    expect(plain.map(({ CommandPlugins }) => CommandPlugins)).toEqual([[], []])
    const [of] = await invocations({ CommandId: id, InstanceId: web, Details: true })
    expect(of).toEqual({
      CommandId: id,
      InstanceId: web,
      InstanceName: 'web',
      Comment: '',
      DocumentName: SHELL,
      DocumentVersion: '1',
      RequestedDateTime: api.now / 1000,
      Status: 'Success',
      StatusDetails: 'Success',
      StandardOutputUrl: '',
      StandardErrorUrl: '',
      CommandPlugins: [
        {
          Name: STEP,
          Status: 'Success',
          StatusDetails: 'Success',
          ResponseCode: 0,
          ResponseStartDateTime: api.now / 1000,
          ResponseFinishDateTime: (api.now + 1234) / 1000,
          Output: 'up 3 days',
          StandardOutputUrl: '',
          StandardErrorUrl: '',
          OutputS3BucketName: 'results',
          OutputS3KeyPrefix: '',
        },
      ],
      ServiceRole: '',
      NotificationConfig: { NotificationArn: '', NotificationEvents: [] },
      CloudWatchOutputConfig: { CloudWatchLogGroupName: '', CloudWatchOutputEnabled: false },
    })
    const [waiting] = await invocations({ CommandId: id, InstanceId: db, Details: true })
    expect(waiting?.CommandPlugins).toMatchObject([{ Name: STEP, Status: 'Pending', ResponseCode: -1 }])
  })

  test('without an id it has all commands, newest first, page by page', async () => {
    api.now += 1000
    const older = await sent([web])
    api.now += 1000
    const newer = await sent([web, db])
    const ids: unknown[] = []
    let NextToken: unknown
    do {
      const page = await api.ok('ListCommandInvocations', { MaxResults: 2, NextToken })
      ids.push(...(page.CommandInvocations as Row[]).map(({ CommandId }) => CommandId))
      NextToken = page.NextToken
    } while (NextToken !== undefined)
    expect(ids.slice(0, 3)).toEqual([newer, newer, older])
    expect(await api.code('ListCommandInvocations', { NextToken: 'guess' })).toBe('InvalidNextToken')
    const details = await invocations({ Details: true })
    expect(details.every(({ CommandPlugins }) => (CommandPlugins as Row[]).length > 0)).toBe(true)
  })

  test('filters', async () => {
    api.now += 60_000
    const since = new Date(api.now - 1).toISOString()
    const id = await sent([web, db])
    await finish(id, web)
    const filtered = async (...filters: Array<[key: string, value: string]>) => {
      const Filters = [['InvokedAfter', since], ...filters].map(([key, value]) => ({ key, value }))
      return (await invocations({ Filters })).map(({ InstanceId }) => InstanceId).sort()
    }
    expect(await filtered()).toEqual([web, db].sort())
    expect(await filtered(['Status', 'Success'])).toEqual([web])
    expect(await filtered(['Status', 'Success'], ['Status', 'Failed'])).toEqual([])
    expect(await filtered(['Status', 'Undeliverable'])).toEqual([])
    expect(await filtered(['DocumentName', 'TwoSteps'])).toEqual([])
    expect(await filtered(['DocumentName', SHELL], ['InvokedBefore', since])).toEqual([])
    const code = (key: string, value: string) =>
      api.code('ListCommandInvocations', { Filters: [{ key, value }] })
    expect(await code('ExecutionStage', 'Complete')).toBe('InvalidFilterKey')
    expect(await code('Status', 'Fine')).toBe('ValidationException')
    expect(await code('InvokedAfter', 'yesterday')).toBe('ValidationException')
    expect(await code('Owner', 'me')).toBe('ValidationException')
    expect(await api.code('ListCommandInvocations', { InstanceId: NO_NODE })).toBe('InvalidInstanceId')
    expect(await api.code('ListCommandInvocations', { CommandId: 'x'.repeat(36) })).toBe('InvalidCommandId')
    expect(await invocations({ CommandId: NO_COMMAND })).toEqual([])
  })
})

describe('ListCommands', () => {
  test('counts what became of the command', async () => {
    const id = await sent([web, db])
    await finish(id, web)
    await finish(id, db, { status: 'Failed', code: 1 })
    expect(await commands({ CommandId: id })).toMatchObject([
      { CommandId: id, TargetCount: 2, CompletedCount: 2, ErrorCount: 1, Status: 'Failed' },
    ])
  })

  test('filters by stage, status and node', async () => {
    api.now += 60_000
    const since = { key: 'InvokedAfter', value: new Date(api.now - 1).toISOString() }
    const [done, open] = [await sent([web]), await sent([db])]
    await finish(done, web)
    const filtered = async (input: object, ...filters: Array<[key: string, value: string]>) => {
      const Filters = [since, ...filters.map(([key, value]) => ({ key, value }))]
      return (await commands({ Filters, ...input })).map(({ CommandId }) => CommandId)
    }
    expect((await filtered({})).sort()).toEqual([done, open].sort())
    expect(await filtered({}, ['ExecutionStage', 'Complete'])).toEqual([done])
    expect(await filtered({}, ['ExecutionStage', 'Executing'])).toEqual([open])
    expect(await filtered({}, ['ExecutionStage', 'Executing'], ['Status', 'Success'])).toEqual([])
    expect(await filtered({}, ['Status', 'Success'])).toEqual([done])
    expect(await filtered({ InstanceId: db })).toEqual([open])
    const bad = { Filters: [{ key: 'ExecutionStage', value: 'Middle' }] }
    expect(await api.code('ListCommands', bad)).toBe('ValidationException')
    const delayed = { Filters: [{ key: 'Status', value: 'Delayed' }] }
    expect(await api.code('ListCommands', delayed)).toBe('ValidationException')
  })
})

describe('CancelCommand', () => {
  test('on some of the nodes, or on all', async () => {
    const id = await sent([web, db])
    expect(await api.ok('CancelCommand', { CommandId: id, InstanceIds: [web] })).toEqual({})
    expect(await invocationOf(id, web)).toMatchObject({ Status: 'Cancelled', ResponseCode: -1 })
    expect((await invocationOf(id, db)).Status).not.toBe('Cancelled')
    await api.ok('CancelCommand', { CommandId: id })
    expect(await invocationOf(id, db)).toMatchObject({ Status: 'Cancelled' })
  })

  test('refuses what is not there, and says what', async () => {
    const id = await sent([web])
    const cancel = (input: object) => api.call('CancelCommand', { CommandId: id, ...input })
    expect((await cancel({ CommandId: NO_COMMAND })).code).toBe('InvalidCommandId')
    const foreign = await cancel({ InstanceIds: [web, db] })
    expect([foreign.code, foreign.message]).toEqual([
      'InvalidInstanceId',
      `Command ${id} was not sent to ${db}.`,
    ])
    expect((await cancel({ InstanceIds: [web, web] })).code).toBe('DuplicateInstanceId')
    expect((await invocationOf(id, web)).Status).not.toBe('Cancelled')
  })
})

test('a deregistered node ends its commands', async () => {
  const node = await api.node()
  const [waiting, running] = [await sent([node]), await sent([node])]
  await accept(running, node)
  await api.ok('DeregisterManagedInstance', { InstanceId: node })
  expect(await invocationOf(waiting, node)).toMatchObject({
    Status: 'Failed',
    StatusDetails: 'Undeliverable',
  })
  expect(await invocationOf(running, node)).toMatchObject({ Status: 'Failed', StatusDetails: 'Failed' })
  expect(await invocations({ InstanceId: node })).toHaveLength(2)
})
