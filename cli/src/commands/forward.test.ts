import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { SessionEnd } from '../attach.ts'
import { type ApiClient, ApiError } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { listenLocally } from '../forwarding/local-listener.ts'
import { runCli } from '../main.ts'
import type { ActivityKind, ClientActivityContext } from '../sessions/client-activity.ts'
import type { runClientSession } from '../sessions/client-session.ts'
import { forward } from './forward.ts'

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
  [[], "missing required argument 'spec'\nUsage: sallyport forward <node> [BIND:]LOCAL:PORT"],
  [['80', '80'], '"80" and "80" both want port 80 of this machine.'],
  [[':1', '8080:80', '127.0.0.1:8080:81'], '"8080:80" and "127.0.0.1:8080:81" both want port 8080'],
  [['*:8080:80', '127.0.0.2:8080:80'], 'both want port 8080'],
  [
    ['80', '--document-name', 'SSM-SessionManagerRunShell'],
    'Document SSM-SessionManagerRunShell opens a session of type Standard_Stream: use sallyport connect.',
  ],
  [['80', '--document-name', 'AWS-StartSSHSession'], 'of type Port: use sallyport ssh-proxy.'],
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

test('the same port of different addresses is no conflict, nor are two free ones', async () => {
  const { run } = setUp()
  expect(await run(':80', ':80')).toBe(1)
  const { port: free } = await listenLocally({ port: 0 }).then(({ port, close }) => {
    close()
    return { port }
  })
  expect(await run(`127.0.0.2:${free}:80`, `127.0.0.3:${free}:80`)).toBe(1)
})

describe('the end', () => {
  type Ending = (kind: ActivityKind) => Promise<SessionEnd>
  const asked: Ending = kind =>
    new Promise(resolve => {
      const onSignals: ClientActivityContext['onSignals'] = (_, handler) =>
        setImmediate(() => handler('SIGINT'))
      kind.open({ onSignals, leave: async end => resolve(end) } as ClientActivityContext)
    })
  const by =
    (end: SessionEnd): Ending =>
    async () =>
      end

  /** Forwards that end so, one after the other. */
  const endings = async (...ends: Ending[]) => {
    const { seen, context } = setUp({ accepts: ends.length })
    const rest = [...ends]
    const run: typeof runClientSession = kinds => () => {
      const [kind] = kinds
      if (kind === undefined) throw new Error('there is no kind')
      return rest.shift()?.(kind) ?? Promise.reject(new Error('too many'))
    }
    const specs = ends.map(() => ':80')
    const status = await forward(NODE, specs, {}, { ...context, errIsTerminal: true }, run)
    return { status, err: seen.err.replace(/:\d+:/g, ':N:') }
  }

  test('by Ctrl-C is an ordinary one, behind a line of its own', async () => {
    expect(await endings(asked, asked)).toEqual({ status: 0, err: '\n' })
  })

  test.each([
    [by({ reason: '', exitCode: 0 }), 1, 'The session was ended.'],
    [
      by({ reason: 'The session was ended by user/bob.', exitCode: 1 }),
      1,
      'The session was ended by user/bob.',
    ],
    [by({ reason: 'lost\x1b', exitCode: 255 }), 255, 'lost?'],
  ])('that nobody here has asked for is a failure', async (end, status, why) => {
    expect(await endings(end)).toEqual({ status, err: `sallyport: 127.0.0.1:N: ${why}\n` })
  })

  test('of one leaves the others alone, and the failure is told by the status in the end', async () => {
    expect(await endings(asked, by({ reason: '', exitCode: 0 }))).toEqual({
      status: 1,
      err: 'sallyport: 127.0.0.1:N: The session was ended.\n\n',
    })
  })
})
