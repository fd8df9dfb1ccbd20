import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kindsOf, type Names, readRecording, recorded, writeRecording } from './recording.ts'
import { aws2, RemoteShell } from './remote-shell.ts'
import { type Stack, startStack } from './stack.ts'
import { StockAgent } from './stock-agent.ts'
import { stockAgent, stockPlugin } from './stock-scene.ts'
import { download, serveHttp } from './tcp-servers.ts'
import { WireTap } from './wire-tap.ts'

// What the scripted peers say is what the real programs say: these conversations are led with the real ones, and
// compared with the recordings. SALLYPORT_TEST_STOCK_RECORD=1 writes them anew instead.

const AGENT = 'amazon-ssm-agent 3.3.0.0'
const PLUGIN = 'session-manager-plugin 1.2.0.0'
const CTRL_C = '\x03'

const given = stockPlugin !== undefined && stockAgent !== undefined
const note = given ? '' : ' (skipped: SALLYPORT_TEST_STOCK_PLUGIN and SALLYPORT_TEST_STOCK_AGENT are not set)'

describe.runIf(given)(`the recordings are true${note}`, () => {
  let stack: Stack
  let agentTap: WireTap
  let pluginTap: WireTap
  let agent: StockAgent

  beforeAll(async () => {
    stack = await startStack({ nodes: 0 })
    agentTap = await WireTap.before(stack)
    pluginTap = await WireTap.before(stack)
    agent = await StockAgent.start(stack, stockAgent ?? '', 'stock', { endpoint: agentTap.endpoint })
  })

  afterAll(async () => {
    await agent?.[Symbol.asyncDispose]()
    for (const tap of [agentTap, pluginTap]) await tap?.[Symbol.asyncDispose]()
    await stack?.[Symbol.asyncDispose]()
  })

  const host = (tap: WireTap) => new URL(tap.endpoint).host
  const names = (session?: RemoteShell): Names => [
    ...(session?.sessionId ? [[session.sessionId, '{session}'] as const] : []),
    [agent.nodeId, '{node}'],
    [host(agentTap), '{host}'],
    [host(pluginTap), '{host}'],
  ]

  function pluginEnv() {
    const directory = (stockPlugin ?? '').replace(/\/[^/]*$/, '')
    return { PATH: `${directory}:${process.env.PATH}`, SSL_CERT_FILE: stack.caFile }
  }

  function check(name: string, program: string, messages: ReturnType<typeof recorded>): void {
    if (process.env.SALLYPORT_TEST_STOCK_RECORD) writeRecording(name, { program, messages })
    expect(kindsOf(messages)).toEqual(kindsOf(readRecording(name).messages))
  }

  /** Leads a session to its end, and compares what both programs sent in it. */
  async function session(
    name: string,
    call: string[],
    lead: (session: RemoteShell) => Promise<void>,
  ): Promise<void> {
    const [agentStart, pluginStart] = [agentTap.records.length, pluginTap.records.length]
    const env = pluginEnv()
    const target = ['--target', agent.nodeId, '--endpoint-url', pluginTap.endpoint]
    await using terminal = new RemoteShell(stack, [aws2, 'ssm', 'start-session', ...target, ...call], { env })
    const started = await terminal.terminal.waitFor(/SessionId: ([\w.@=+-]+)/)
    terminal.sessionId = started[1] ?? ''
    await lead(terminal)
    await agentTap.find(
      ({ from, body }) => from === 'server' && body.toString('latin1', 4, 26) === 'agent_task_acknowledge',
      agentStart,
    )
    const isSession = ({ head, body }: { head: string; body: Buffer }) =>
      head === '' || head.includes(terminal.sessionId) || body.includes(terminal.sessionId)
    const ofAgent = agentTap.records.slice(agentStart).filter(isSession)
    const ofPlugin = pluginTap.records.slice(pluginStart).filter(isSession)
    check(`agent-${name}`, AGENT, recorded(ofAgent, names(terminal)))
    check(`plugin-${name}`, PLUGIN, recorded(ofPlugin, names(terminal)))
  }

  test('an agent registers and comes online', async () => {
    const opening = await agentTap.find(({ kind, from }) => kind === 'text' && from === 'peer')
    await agentTap.find(({ body }) => body.includes('"SSMConnectionChannel":""'))
    await agentTap.find(({ body }) => body.includes('"VisibilityTimeoutInSeconds"'))
    await agentTap.find(({ head }) => head.includes('AmazonSSM.ListInstanceAssociations'))
    expect(opening).toBeGreaterThan(0)
    check('agent-start', AGENT, recorded(agentTap.records, names()))
  })

  test('a shell that is left', async () => {
    await session('shell', [], async ({ terminal }) => {
      await terminal.waitFor('$ ')
      await terminal.send('echo $((6 * 7))\r')
      await terminal.waitFor('42')
      await terminal.waitFor('$ ')
      await terminal.send(CTRL_C)
      await terminal.waitFor('$ ')
      await terminal.send('exit\r')
      await terminal.waitFor('Exiting session')
    })
  })

  test('a forwarded port', async () => {
    await using web = await serveHttp((_request, response) => response.end('x'.repeat(3_000)))
    await session('port', forwarding(web.port), async ({ terminal }) => {
      expect(await download(`http://localhost:${await openedPort(terminal)}/`)).toHaveLength(3_000)
      await terminal.send(CTRL_C)
      await terminal.waitFor('Terminate signal received')
      await terminal.waitFor('status=')
    })
  })

  test('a forwarded port where nobody listens', async () => {
    await session('refused-port', forwarding(1), async ({ terminal }) => {
      await expect(download(`http://localhost:${await openedPort(terminal)}/`)).rejects.toThrow()
      await terminal.send(CTRL_C)
      await terminal.waitFor('status=')
    })
  })

  test('a command without a terminal', async () => {
    const parameters = JSON.stringify({ command: [`sh -c 'echo out; echo err >&2'`] })
    const call = ['--document-name', 'AWS-StartNonInteractiveCommand', '--parameters', parameters]
    await session('command', call, async ({ terminal }) => {
      await terminal.waitFor('err')
      await terminal.waitFor('status=')
    })
  })

  test('a session that fails', async () => {
    const document = 'AWS-StartPortForwardingSessionToRemoteHost'
    const parameters = JSON.stringify({ host: ['169.254.169.254'], portNumber: ['80'] })
    await session(
      'failure',
      ['--document-name', document, '--parameters', parameters],
      async ({ terminal }) => {
        await terminal.waitFor('Forwarding to IP address 169.254.169.254 is forbidden')
        await terminal.waitFor('status=')
      },
    )
  })

  test('a session whose worker dies', { timeout: 120_000 }, async () => {
    // Its dial is refused, which crashes it; the agent says so after a minute.
    const call = ['--document-name', 'AWS-StartSSHSession', '--parameters', 'portNumber=1']
    await session('crash', call, async ({ terminal }) => {
      await terminal.waitFor('document process failed unexpectedly', { timeoutMs: 90_000 })
      await terminal.waitFor('status=')
    })
  })

  test('a plugin that is asked for what only ours can', async () => {
    const { id } = await stack.addNode('ours')
    const start = pluginTap.records.length
    const target = ['--target', id, '--endpoint-url', pluginTap.endpoint]
    await using session = new RemoteShell(stack, [aws2, 'ssm', 'start-session', ...target], {
      env: pluginEnv(),
    })
    await session.ready()
    await session.type('exit\r')
    await session.terminal.waitFor('Exiting session')
    check('plugin-own-agent', PLUGIN, recorded(pluginTap.records.slice(start + 2), names(session)))
  })

  test('a shell whose client is cut off and resumes', async () => {
    await session('resume', [], async ({ terminal }) => {
      await terminal.waitFor('$ ')
      await terminal.send('echo $((6 * 7))\r')
      await terminal.waitFor('42')
      await terminal.waitFor('$ ')
      const start = pluginTap.records.length
      pluginTap.cut()
      await pluginTap.find(({ kind, from }) => kind === 'text' && from === 'peer', start)
      await terminal.send('exit\r')
      await terminal.waitFor('Exiting session')
    })
  })
})

function forwarding(port: number): string[] {
  const parameters = JSON.stringify({ portNumber: [String(port)], localPortNumber: ['0'] })
  return ['--document-name', 'AWS-StartPortForwardingSession', '--parameters', parameters]
}

async function openedPort(terminal: RemoteShell['terminal']): Promise<number> {
  const [, port] = await terminal.waitFor(/Port (\d+) opened/)
  await terminal.waitFor('Waiting for connections...')
  return Number(port)
}
