import { createHash, X509Certificate } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { rootCertificates } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ApiClient } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { runCli } from '../main.ts'

const NOW = Date.UTC(2026, 10, 21)
const CA = rootCertificates[0] ?? ''
const CA_HASH = `sha256:${createHash('sha256').update(new X509Certificate(CA).raw).digest('hex')}`

let server: Server
let caStatus = 200
beforeAll(async () => {
  server = createServer((request, response) => {
    response.statusCode = request.url === '/.well-known/sallyport/ca.pem' ? caStatus : 400
    response.end(CA)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => server.close())

const setUp = (answers: Record<string, object>) => {
  const seen = { out: '', err: '', calls: [] as unknown[] }
  const client: ApiClient = {
    call: async (_service, operation, input) => {
      seen.calls.push([operation, input])
      return answers[operation]
    },
  }
  const { port } = server.address() as AddressInfo
  const endpoint = new URL(`http://127.0.0.1:${port}`)
  const context: CommandContext = {
    env: {},
    out: text => {
      seen.out += text
    },
    err: text => {
      seen.err += text
    },
    now: () => NOW,
    connect: async () => ({ client, endpoint, region: 'eu-test-1' }),
  }
  return { seen, endpoint, run: (...argv: string[]) => runCli(argv, context) }
}

const MADE = { CreateActivation: { ActivationId: 'an-id', ActivationCode: 'a-code' } }

test('create prints the whole command for the machine, the hash of the CA included', async () => {
  const { seen, endpoint, run } = setUp(MADE)
  expect(await run('activations', 'create', '--name', 'web', '--limit', '3', '--expires-in', '2h')).toBe(0)
  expect(seen.calls).toEqual([
    [
      'CreateActivation',
      {
        IamRole: 'SSMServiceRole',
        RegistrationLimit: 3,
        ExpirationDate: NOW / 1000 + 7200,
        DefaultInstanceName: 'web',
      },
    ],
  ])
  expect(seen.out.replace(/ \\\n */g, ' ')).toBe(
    `sallyport agent register --endpoint ${endpoint.origin} --region eu-test-1 --activation-id an-id --activation-code a-code --ca-hash ${CA_HASH}\n`,
  )
  expect(seen.err).toContain('Good 3 times, until 2026-11-21T02:00:00.000Z')
})

test('where the certificate is of a CA that everybody knows, there is no hash to pin', async () => {
  caStatus = 404
  try {
    const { seen, run } = setUp(MADE)
    expect(await run('activations', 'create')).toBe(0)
    expect(seen.out).toMatch(/--activation-code a-code\n$/)
    expect(seen.out).not.toContain('--ca-hash')
  } finally {
    caStatus = 200
  }
})

test('create refuses a lifetime and a limit that make no sense, before anything is made', async () => {
  const { seen, run } = setUp(MADE)
  expect(await run('activations', 'create', '--expires-in', 'tomorrow')).toBe(2)
  expect(await run('activations', 'create', '--limit', 'many')).toBe(2)
  expect(seen.err).toContain('expected a time such as 30m, 24h or 7d')
  expect(seen.calls).toEqual([])
})

test('the list shows how much of each activation is used, and which have expired', async () => {
  const row = {
    ActivationId: 'an-id',
    IamRole: 'R',
    RegistrationLimit: 5,
    RegistrationsCount: 2,
    ExpirationDate: NOW / 1000,
  }
  const { seen, run } = setUp({
    DescribeActivations: { ActivationList: [row, { ...row, ActivationId: 'old', Expired: true }] },
  })
  expect(await run('activations')).toBe(0)
  expect(seen.out).toMatch(/^an-id +- +R +2\/5 +2026-11-21T00:00:00.000Z$/m)
  expect(seen.out).toMatch(/^old .* expired$/m)
})

test('tags go with the activation, and a word without a value is not one', async () => {
  const { seen, run } = setUp(MADE)
  expect(await run('activations', 'create', '--tag', 'env=dev', '--tag', 'note=a=b')).toBe(0)
  const Tags = [
    { Key: 'env', Value: 'dev' },
    { Key: 'note', Value: 'a=b' },
  ]
  expect(seen.calls).toEqual([['CreateActivation', expect.objectContaining({ Tags })]])
  expect(await run('activations', 'create', '--tag', 'dev')).toBe(2)
  expect(seen.err).toContain('--tag is "dev": expected KEY=VALUE, such as env=dev')
})
