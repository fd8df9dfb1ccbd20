import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ApiError } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { runCli } from '../main.ts'

const NODE = 'mi-0123456789abcdef0'
const ALICE = 'arn:aws:iam::111122223333:user/alice'

let server: Server

beforeAll(async () => {
  server = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => server.close())

const doctor = async (answers: Record<string, unknown>, ...argv: string[]) => {
  const { port } = server.address() as AddressInfo
  const call = async (_: string, operation: string) => {
    const answer = answers[operation] ?? {}
    if (answer instanceof Error) throw answer
    return answer
  }
  let out = ''
  const connection = {
    client: { call },
    endpoint: new URL(`http://127.0.0.1:${port}`),
    region: 'eu-west-1',
    ca: [],
  }
  const context = {
    env: {},
    out: (text: string) => {
      out += text
    },
    err: () => undefined,
    now: () => Date.now(),
    connect: async () => connection,
  } as unknown as CommandContext
  const code = await runCli(['doctor', ...argv], context)
  return { code, last: out.trimEnd().split('\n✓ ').at(-1), out }
}

test('who has no nodes yet is told how a machine becomes one', async () => {
  const { code, last } = await doctor({
    GetCallerIdentity: { Arn: ALICE },
    DescribeInstanceInformation: { InstanceInformationList: [] },
  })
  expect(last).toBe(
    'you can list the nodes: there are none yet. What `sallyport activations create` prints makes a machine one',
  )
  expect(code).toBe(0)
})

test('a key that is no more is followed by where another one comes from', async () => {
  const gone = new ApiError('InvalidClientTokenId', 'access key AKIA1 was deactivated.', 403)
  const { code, out } = await doctor({ GetCallerIdentity: gone })
  expect(out).toContain(
    '✗ access key AKIA1 was deactivated. (InvalidClientTokenId)\n    Is it the key of this server?',
  )
  expect(out).toContain('aws iam create-access-key')
  expect(code).toBe(1)
})

test('a shell that policies do not allow is followed by the command that says which', async () => {
  const { code, out } = await doctor(
    {
      GetCallerIdentity: { Arn: ALICE },
      DescribeInstanceInformation: { InstanceInformationList: [{ InstanceId: NODE, Name: 'web-1' }] },
      GetConnectionStatus: { Status: 'connected' },
      StartSession: new ApiError('AccessDeniedException', 'not authorized', 400),
    },
    'web-1',
  )
  expect(out).toContain(`sallyport policy why ${ALICE} ssm:StartSession ${NODE}`)
  expect(code).toBe(1)
})
