import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { type ApiClient, ApiError } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { runCli } from '../main.ts'

const NODE = 'mi-0123456789abcdef0'

/** A server that refuses the second session, so that no session runs and everything asked for is seen. */
function setUp({ accepts = 0 } = {}) {
  const seen = { out: '', err: '', connected: 0, calls: [] as Array<[string, Record<string, unknown>]> }
  let started = 0
  const client: ApiClient = {
    call: async (_, operation, input) => {
      seen.calls.push([operation, input])
      if (operation !== 'StartSession') return {}
      if (started++ >= accepts) throw new ApiError('AccessDeniedException', 'not you', 400)
      return { SessionId: `s-${started}`, TokenValue: 't', StreamUrl: 'wss://x/' }
    },
  }
  const context: CommandContext = {
    env: {},
    out: text => {
      seen.out += text
    },
    err: text => {
      seen.err += text
    },
    now: () => 0,
    connect: async () => {
      seen.connected++
      return { client, endpoint: new URL('https://x'), region: 'us-east-1' }
    },
  }
  return { seen, run: (...argv: string[]) => runCli(['forward', NODE, ...argv], context), context }
}

const port = expect.stringMatching(/^[1-9]\d*$/)

test.each([
  [
    [':80'],
    {
      DocumentName: 'AWS-StartPortForwardingSession',
      Parameters: { portNumber: ['80'], localPortNumber: [port] },
    },
  ],
  [
    [':db.internal:5432', '--reason', 'why'],
    {
      DocumentName: 'AWS-StartPortForwardingSessionToRemoteHost',
      Reason: 'why',
      Parameters: { portNumber: ['5432'], host: ['db.internal'], localPortNumber: [port] },
    },
  ],
  [
    ['--socket', '/tmp/sallyport-forward-test.sock', '80'],
    {
      DocumentName: 'AWS-StartPortForwardingSessionToSocket',
      Parameters: { portNumber: ['80'], localUnixSocket: ['/tmp/sallyport-forward-test.sock'] },
    },
  ],
  [
    ['--socket', '/tmp/sallyport-forward-test.sock', 'db:80'],
    {
      DocumentName: 'AWS-StartPortForwardingSessionToRemoteHost',
      Parameters: { portNumber: ['80'], host: ['db'] },
    },
  ],
  [
    [':db:80', '--document-name', 'Ours', '--parameters', 'stage=live'],
    { DocumentName: 'Ours', Parameters: { portNumber: ['80'], host: ['db'], stage: ['live'] } },
  ],
])('%j asks for the document that allows it', async (argv, request) => {
  const { seen, run } = setUp()
  expect(await run(...argv)).toBe(1)
  expect(seen.calls).toEqual([['StartSession', { Target: NODE, ...request }]])
  expect(seen.err).toBe('sallyport: not you (AccessDeniedException)\n')
  expect(seen.out).toBe('')
})

test('all forwards are started or none', async () => {
  const { seen, run } = setUp({ accepts: 2 })
  expect(await run(':1', ':2', ':3')).toBe(1)
  const ended = seen.calls.filter(([operation]) => operation === 'TerminateSession')
  expect(ended.map(([, { SessionId }]) => SessionId)).toEqual(['s-1', 's-2'])
})

test('a busy port is told before anything is asked of the server, and gives the others back', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const busy = (server.address() as AddressInfo).port
  const { seen, run } = setUp()
  expect(await run(':80', `${busy}:80`)).toBe(1)
  expect(seen).toMatchObject({ connected: 0, calls: [] })
  expect(seen.err).toMatch(`sallyport: Cannot listen on 127.0.0.1:${busy}: port ${busy} is in use`)
  server.close()
})

test.each([
  [['nonsense'], '"nonsense" is not what to forward'],
  [[], 'missing required argument'],
  [['--socket', '/tmp/x', '80', '81'], 'One Unix socket has one target'],
  [Array.from({ length: 65 }, () => ':1'), 'At most 64 forwards at once.'],
])('%j is a usage error', async (argv, reason) => {
  const { seen, run } = setUp()
  expect(await run(...argv)).toBe(2)
  expect(seen.err).toContain(reason)
  expect(seen.connected).toBe(0)
})

test.each(['ssh', '0', '70000'])('ssh-proxy to port %s is one too', async port => {
  const { seen, context } = setUp()
  expect(await runCli(['ssh-proxy', NODE, port], context)).toBe(2)
  expect(seen.err).toBe(`sallyport: "${port}" is no port.\n`)
  expect(seen.connected).toBe(0)
})
