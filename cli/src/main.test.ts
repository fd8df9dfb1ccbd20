import { ConnectionError } from '@sallyport/protocol/transport/node-http'
import { describe, expect, test } from 'vitest'
import type { SessionOptions } from './attach.ts'
import { type ApiClient, ApiError } from './client.ts'
import { connect } from './commands/connect.ts'
import type { CommandContext } from './context.ts'
import { usageError } from './errors.ts'
import { runCli } from './main.ts'
import type { SettingsOptions } from './settings.ts'
import type { Terminal } from './terminal/terminal.ts'

const NOW = 1_000_000_000
const NODE = {
  InstanceId: 'mi-0123456789abcdef0',
  Name: 'web-1',
  PingStatus: 'Online',
  LastPingDateTime: NOW / 1000 - 90,
}
const STARTED = { SessionId: 's-1', TokenValue: 't-1', StreamUrl: 'wss://x/' }

const setUp = (answers: Record<string, unknown> = {}) => {
  const seen = {
    out: '',
    err: '',
    calls: [] as Array<[string, unknown]>,
    options: undefined as SettingsOptions | undefined,
  }
  const client: ApiClient = {
    call: async (_, operation, input) => {
      seen.calls.push([operation, input])
      const answer = answers[operation]
      if (answer instanceof Error) throw answer
      return answer ?? {}
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
    now: () => NOW,
    connect: async options => {
      seen.options = options
      return { client, endpoint: new URL('https://sallyport.test:8443'), region: 'us-east-1' }
    },
  }
  return { seen, context, run: (...argv: string[]) => runCli(argv, context) }
}

describe('nodes', () => {
  const answers = {
    DescribeInstanceInformation: { InstanceInformationList: [{ ...NODE, IPAddress: '10.0.0.1' }] },
  }

  test('are a table on stdout', async () => {
    const { seen, run } = setUp(answers)
    expect(await run('nodes')).toBe(0)
    expect(seen.out).toBe(
      'ID                    NAME   STATUS  PLATFORM  AGENT  ADDRESS   LAST PING\n' +
        'mi-0123456789abcdef0  web-1  Online  -         -      10.0.0.1  1m\n',
    )
    expect(seen.err).toBe('')
  })

  test('are JSON on request', async () => {
    const { seen, run } = setUp(answers)
    await run('nodes', '--json')
    expect(JSON.parse(seen.out)).toMatchObject([NODE])
  })

  test('that do not exist leave stdout empty', async () => {
    const { seen, run } = setUp()
    expect(await run('nodes')).toBe(0)
    expect(seen.out).toBe('')
    expect(seen.err).toContain('No nodes yet')
  })
})

describe('sessions', () => {
  test('of the caller are asked for by the ARN that sts tells', async () => {
    const { seen, run } = setUp({ GetCallerIdentity: { Arn: 'arn:aws:iam::1:user/alice' } })
    expect(await run('sessions', '--mine', '--history')).toBe(0)
    const Filters = [{ key: 'Owner', value: 'arn:aws:iam::1:user/alice' }]
    expect(seen.calls[1]).toEqual(['DescribeSessions', { State: 'History', MaxResults: 200, Filters }])
  })

  test('show who, where and since when', async () => {
    const session = { SessionId: 's-1', Target: 'mi-1', Status: 'Connected', StartDate: NOW / 1000 - 7200 }
    const Owner = 'arn:aws:sts::1:assumed-role/admin/alice'
    const { seen, run } = setUp({ DescribeSessions: { Sessions: [{ ...session, Owner }] } })
    await run('sessions')
    expect(seen.out.split('\n')[1]).toMatch(/^s-1 +mi-1 +Connected +assumed-role\/admin\/alice +- +2h +-$/)
  })

  test('are ended by id; one that cannot be ended does not stop the others', async () => {
    const { seen, run } = setUp({ TerminateSession: new ApiError('AccessDeniedException', 'no', 400) })
    expect(await run('sessions', 'end', 'a', 'b', '--region', 'r')).toBe(1)
    for (const SessionId of ['a', 'b']) expect(seen.calls).toContainEqual(['TerminateSession', { SessionId }])
    expect(seen.err).toBe('Could not end a: no\nCould not end b: no\n')
    expect(seen.options?.region).toBe('r')
  })

  test('that have ended are said to have', async () => {
    const ended = { SessionId: 'a', EndDate: NOW / 1000 - 7200, Details: 'Idle timeout' }
    const { seen, run } = setUp({ DescribeSessions: { Sessions: [ended] } })
    expect(await run('sessions', 'end', 'a')).toBe(0)
    expect(seen.calls[0]).toEqual([
      'DescribeSessions',
      { State: 'History', Filters: [{ key: 'SessionId', value: 'a' }] },
    ])
    expect(seen.err).toBe('a had ended already, 2h ago: Idle timeout\n')
    const denied = setUp({ DescribeSessions: new ApiError('AccessDeniedException', 'no', 400) })
    expect(await denied.run('sessions', 'end', 'a')).toBe(0)
    expect(denied.seen.err).toBe('Ended a\n')
  })
})

describe('sessions on a terminal', () => {
  const id = `alice-${'a2'.repeat(16)}`
  const Sessions = [
    {
      SessionId: id,
      Target: NODE.InstanceId,
      Status: 'Connected',
      Owner: 'arn:aws:iam::1:user/alice',
      DocumentName: 'AWS-StartPortForwardingSessionToRemoteHost',
      StartDate: NOW / 1000 - 60,
      Reason: 'to see why the report was empty on Monday',
    },
  ]

  test('fit into 100 columns; a pipe gets all of it', async () => {
    const { seen, context } = setUp({ DescribeSessions: { Sessions } })
    await runCli(['sessions'], { ...context, columns: 100 })
    const [head = '', line = ''] = seen.out.split('\n')
    expect(Math.max(head.length, line.length)).toBeLessThanOrEqual(100)
    expect(line).toMatch(
      /^alice-(a2){4}\S*… {2}mi-01234567… {2}Connected {2}user\/alice {2}AWS-Star…oteHost /,
    )
    seen.out = ''
    await runCli(['sessions'], context)
    expect(seen.out).toContain(`${id}  ${NODE.InstanceId}  Connected`)
    expect(seen.out).toContain('on Monday')
  })

  test.each([`${id.slice(0, 14)}…`, id.slice(0, 14), id])('are ended by what is shown: %s', async shown => {
    const { seen, run } = setUp({ DescribeSessions: { Sessions } })
    expect(await run('sessions', 'end', shown)).toBe(0)
    expect(seen.calls.at(-1)).toEqual(['TerminateSession', { SessionId: id }])
  })

  test('are not ended by what more than one begins with', async () => {
    const two = [...Sessions, { ...Sessions[0], SessionId: `${id.slice(0, -1)}3` }]
    const { seen, run } = setUp({ DescribeSessions: { Sessions: two } })
    await run('sessions', 'end', id.slice(0, 14))
    expect(seen.calls.at(-1)).toEqual(['TerminateSession', { SessionId: id.slice(0, 14) }])
  })
})

describe('connect', () => {
  const terminalOf = (interactive: boolean) => {
    const notices: string[] = []
    const terminal = {
      interactive,
      notice: (text: string) => notices.push(text),
      restore() {},
      onOutputError() {},
    }
    return { notices, terminal: terminal as unknown as Terminal }
  }

  test('starts a session on the node of that name, and has its exit status', async () => {
    const { seen, context } = setUp({
      DescribeInstanceInformation: { InstanceInformationList: [NODE] },
      StartSession: STARTED,
    })
    const { notices, terminal } = terminalOf(true)
    let given: SessionOptions | undefined
    const runSession = async (options: SessionOptions) => {
      given = options
      return { reason: 'gone\x1b', exitCode: 7 }
    }
    const options = { reason: 'because', documentName: 'D', parameters: ['a=1'] }
    expect(await connect('web-1', options, context, { terminal, runSession })).toBe(7)
    expect(seen.calls.at(-1)).toEqual([
      'StartSession',
      { Target: NODE.InstanceId, DocumentName: 'D', Reason: 'because', Parameters: { a: ['1'] } },
    ])
    expect(given?.session).toEqual({ sessionId: 's-1', tokenValue: 't-1', streamUrl: 'wss://x/' })
    expect(given?.terminal).toBe(terminal)
    expect(notices).toEqual(['sallyport: gone?'])
    expect(seen.out).toBe('')
  })

  test('says nothing to a script', async () => {
    const { context } = setUp({ StartSession: STARTED })
    const { notices, terminal } = terminalOf(false)
    const runSession = async () => ({ reason: '', exitCode: 0 })
    expect(await connect(NODE.InstanceId, {}, context, { terminal, runSession })).toBe(0)
    expect(notices).toEqual([])
  })
})

describe('errors', () => {
  test.each([
    [
      new ApiError('TargetNotConnected', 'last seen 14 minutes ago\x07', 400, 'r-1'),
      1,
      'sallyport: last seen 14 minutes ago? (TargetNotConnected, request r-1)\n',
    ],
    [new ApiError('ConnectionFailed', 'Cannot reach x', 0), 255, 'sallyport: Cannot reach x\n'],
    [new ConnectionError('ConnectionFailed', 'Cannot reach x', false), 255, 'sallyport: Cannot reach x\n'],
    [usageError('Nothing says a region.\n  --region'), 2, 'sallyport: Nothing says a region.\n  --region\n'],
  ])('%s has its exit status', async (error, status, err) => {
    const { seen, run } = setUp({ DescribeInstanceInformation: error })
    expect(await run('nodes')).toBe(status)
    expect(seen.err).toBe(err)
    expect(seen.out).toBe('')
  })

  test.each([
    [['connect'], "missing required argument 'node'", 'Usage: sallyport connect [options] <node>'],
    [
      ['sessions', 'end'],
      "missing required argument 'id'",
      'Usage: sallyport sessions end [options] <id...>',
    ],
    [['exec'], "missing required argument 'node'", 'Usage: sallyport exec <node> [options] -- <command>'],
    [['connect', 'web-1', 'id'], 'too many arguments', 'sallyport exec web-1 -- id\n'],
    [['exec', 'web-1', 'ls', '-l', '/'], "unknown option '-l'", 'Put -- before a command with options'],
    [['exec', 'web-1', 'grep', '-n', 'x', 'f'], 'an option behind the command', 'Put -- before'],
  ])('%j is explained', async (argv, problem, hint) => {
    const { seen, run } = setUp()
    expect(await run(...argv)).toBe(2)
    expect(seen.err).toContain(problem)
    expect(seen.err).toContain(hint)
    expect(seen.calls).toEqual([])
  })

  test.each([
    [['exec', '', '--', 'true'], 2, 'The name of the node is empty. All of them: sallyport nodes'],
    [['exec', 'web-1', '--', ''], 2, 'The command is empty.'],
    [
      ['exec', 'web-1', '--parameters', 'command=id', '--document-name', 'D', '--', 'true'],
      2,
      'The command is given twice: by --parameters, and by the words behind it.',
    ],
    [
      ['connect', 'web-1', '--document-name', 'AWS-StartPortForwardingSession'],
      2,
      'Document AWS-StartPortForwardingSession opens a session of type Port: use sallyport forward.',
    ],
    [
      ['exec', 'web-1', '--document-name', 'AWS-StartSSHSession'],
      2,
      'Document AWS-StartSSHSession opens a session of type Port: use sallyport ssh-proxy.',
    ],
    [
      ['ssh-proxy', 'web-1', '--document-name', 'AWS-StartInteractiveCommand'],
      2,
      'Document AWS-StartInteractiveCommand opens a session of type InteractiveCommands: use sallyport exec.',
    ],
    [
      ['activations', 'delete', 'nope'],
      1,
      'There is no activation "nope". All of them: sallyport activations',
    ],
  ])('%j is refused before any call', async (argv, status, message) => {
    const { seen, run } = setUp()
    expect(await run(...argv)).toBe(status)
    expect(seen.err).toBe(`sallyport: ${message}\n`)
    expect(seen.calls).toEqual([])
  })

  test.each([[['frobnicate']], [['connect']], [['connect', 'a', 'b']], [['nodes', '--frobnicate']]])(
    '%j is a usage error',
    async argv => {
      const { seen, run } = setUp()
      expect(await run(...argv)).toBe(2)
      expect(seen.err).toMatch(/^error: /)
      expect(seen.calls).toEqual([])
    },
  )

  test('help is no error', async () => {
    const { seen, run } = setUp()
    expect(await run('connect', '--help')).toBe(0)
    expect(seen.out).toContain('Exit status:')
  })
})
