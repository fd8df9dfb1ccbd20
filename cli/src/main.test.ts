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
  const seen = { out: '', err: '', calls: [] as unknown[], options: undefined as SettingsOptions | undefined }
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
    expect(seen.calls).toEqual([
      ['TerminateSession', { SessionId: 'a' }],
      ['TerminateSession', { SessionId: 'b' }],
    ])
    expect(seen.err).toBe('Could not end a: no\nCould not end b: no\n')
    expect(seen.options?.region).toBe('r')
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
    expect(notices).toEqual([expect.stringContaining('Session s-1 on mi-'), 'sallyport: gone?'])
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
    [usageError('Nothing says a region.\n  --region'), 2, 'sallyport: Nothing says a region.\n  --region\n'],
  ])('%s has its exit status', async (error, status, err) => {
    const { seen, run } = setUp({ DescribeInstanceInformation: error })
    expect(await run('nodes')).toBe(status)
    expect(seen.err).toBe(err)
    expect(seen.out).toBe('')
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
