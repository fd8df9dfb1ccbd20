import { Readable } from 'node:stream'
import {
  CancelCommandCommand,
  GetCommandInvocationCommand,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  SendCommandCommand,
  SSMClient,
  waitUntilCommandExecuted,
} from '@aws-sdk/client-ssm'
import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

// AWS's SDK reads what we answer by AWS's own model.

const SHELL = 'AWS-RunShellScript'
let api: ApiForTest
let client: SSMClient
let node: string

type Sent = { method: string; path: string; headers: Record<string, string>; body: Uint8Array }

beforeAll(async () => {
  api = await openApi()
  // The SDK signs with the time that it is.
  api.now = Date.now()
  node = await api.node()
  const { accessKeyId, secretAccessKey } = api.administrator
  client = new SSMClient({
    endpoint: 'https://sallyport.example:8443',
    region: scope.region,
    credentials: { accessKeyId, secretAccessKey },
    requestHandler: {
      handle: async ({ method, path, headers, body }: Sent) => {
        const answer = await api.handle(
          api.request({ method, path, headers: Object.entries(headers), body: new Uint8Array(body) }),
        )
        const { status: statusCode } = answer
        return { response: { statusCode, headers: answer.headers, body: Readable.from([answer.body]) } }
      },
    } as never,
  })
})
afterAll(async () => {
  client.destroy()
  await api.dispose()
})

async function sent(): Promise<string> {
  const { Command } = await client.send(
    new SendCommandCommand({
      DocumentName: SHELL,
      Targets: [{ Key: 'InstanceIds', Values: [node] }],
      Parameters: { commands: ['uptime'] },
      Comment: 'from a program',
    }),
  )
  expect(Command).toMatchObject({ TargetCount: 1, MaxConcurrency: '50', Comment: 'from a program' })
  expect(Command?.RequestedDateTime).toBeInstanceOf(Date)
  expect(Command?.ExpiresAfter?.getTime()).toBe(api.now + 7_200_000)
  return Command?.CommandId ?? ''
}

async function run(commandId: string, status: 'Success' | 'Failed'): Promise<void> {
  await api.commands.accepted(node, { kind: 'command', commandId })
  const times = { startedAt: api.now, endedAt: api.now + 10 }
  const output = { output: 'up', standardOutput: 'up', standardError: '' }
  const step = { name: 'aws:runShellScript', status, code: status === 'Success' ? 0 : 1, ...times, ...output }
  await api.commands.reported(node, commandId, { status, trace: '', steps: [step] })
}

test('a command from sending to its result, with the waiter', async () => {
  const CommandId = await sent()
  const input = { CommandId, InstanceId: node }
  const waiting = { client, minDelay: 1, maxDelay: 1, maxWaitTime: 20 }
  const executed = waitUntilCommandExecuted(waiting, input)
  await run(CommandId, 'Success')
  expect((await executed).state).toBe('SUCCESS')
  const invocation = await client.send(new GetCommandInvocationCommand(input))
  expect(invocation).toMatchObject({ ResponseCode: 0, StandardOutputContent: 'up', StandardErrorUrl: '' })
  const { CommandInvocations } = await client.send(
    new ListCommandInvocationsCommand({ CommandId, Details: true }),
  )
  expect(CommandInvocations?.[0]?.CommandPlugins?.[0]).toMatchObject({ Status: 'Success', Output: 'up' })
  expect(CommandInvocations?.[0]?.CommandPlugins?.[0]?.ResponseFinishDateTime).toBeInstanceOf(Date)
  const { Commands } = await client.send(new ListCommandsCommand({ CommandId }))
  expect(Commands?.[0]).toMatchObject({ Status: 'Success', CompletedCount: 1 })
})

test('the waiter fails with the command', async () => {
  const CommandId = await sent()
  await run(CommandId, 'Failed')
  const waiting = { client, minDelay: 1, maxDelay: 1, maxWaitTime: 20 }
  const executed = waitUntilCommandExecuted(waiting, { CommandId, InstanceId: node })
  await expect(executed).rejects.toThrow('FAILURE')
})

test('errors have the names of the model', async () => {
  const CommandId = await sent()
  await client.send(new CancelCommandCommand({ CommandId }))
  const refused = (call: Promise<unknown>) => call.then(String, (error: Error) => error.name)
  const nobody = 'mi-00000000000000000'
  const other = client.send(new GetCommandInvocationCommand({ CommandId, InstanceId: nobody }))
  expect(await refused(other)).toBe('InvocationDoesNotExist')
  const unknown = client.send(new SendCommandCommand({ DocumentName: SHELL, InstanceIds: [nobody] }))
  expect(await refused(unknown)).toBe('InvalidParameters')
  const Parameters = { commands: ['x'] }
  const nowhere = client.send(
    new SendCommandCommand({ DocumentName: SHELL, InstanceIds: [nobody], Parameters }),
  )
  expect(await refused(nowhere)).toBe('InvalidInstanceId')
})
