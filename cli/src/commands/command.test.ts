import { describe, expect, test } from 'vitest'
import type { ApiClient } from '../client.ts'
import type { CommandContext } from '../context.ts'
import { runCli } from '../main.ts'
import { COMMAND_ID, KeptStream } from '../run/run-scene.ts'
import { commandOutput } from './command.ts'
import { showCommand } from './command-show.ts'

const NOW = 1_000_000_000
const NODE = 'mi-0123456789abcdef0'
const COMMAND = {
  CommandId: COMMAND_ID,
  DocumentName: 'AWS-RunShellScript',
  DocumentVersion: '1',
  Comment: '',
  Parameters: { commands: ['#!/bin/sh\ndf -h'] },
  Targets: [{ Key: 'tag:env', Values: ['dev', 'test'] }],
  RequestedDateTime: NOW / 1000 - 90,
  Status: 'Failed',
  StatusDetails: 'Failed',
  MaxConcurrency: '50',
  MaxErrors: '0',
  TargetCount: 2,
  CompletedCount: 2,
  ErrorCount: 1,
  DeliveryTimedOutCount: 0,
}
const step = (name: string, status: string, code: number, seconds: number) => ({
  Name: name,
  Status: status,
  StatusDetails: status,
  ResponseCode: code,
  ResponseStartDateTime: 1000,
  ResponseFinishDateTime: 1000 + seconds,
})
const INVOCATIONS = [
  {
    InstanceId: NODE,
    InstanceName: 'web-1',
    Status: 'Success',
    StatusDetails: 'Success',
    CommandPlugins: [step('aws:runShellScript', 'Success', 0, 1.5)],
  },
  {
    InstanceId: 'mi-0123456789abcdef1',
    InstanceName: 'web-2\x1b',
    Status: 'Failed',
    StatusDetails: 'Failed',
    CommandPlugins: [step('first', 'Failed', 2, 1), step('second', 'Success', 0, 70)],
  },
]

const setUp = (answers: Record<string, unknown> = {}) => {
  const seen = { out: '', err: '', calls: [] as Array<[string, unknown]> }
  const all: Record<string, unknown> = {
    ListCommands: { Commands: [COMMAND] },
    ListCommandInvocations: { CommandInvocations: INVOCATIONS },
    ...answers,
  }
  const client: ApiClient = {
    call: async (_, operation, input) => {
      seen.calls.push([operation, input])
      return all[operation] ?? {}
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
    connect: async () => ({ client, endpoint: new URL('https://sallyport.test'), region: 'us-east-1' }),
  }
  return { seen, context, run: (...argv: string[]) => runCli(argv, context) }
}

describe('commands', () => {
  test('are a table, with what they did', async () => {
    const { seen, run } = setUp()
    expect(await run('commands')).toBe(0)
    expect(seen.out).toBe(
      'COMMAND                               STATUS  DOCUMENT            NODES  ERRORS  STARTED  WHAT\n' +
        `${COMMAND_ID}  Failed  AWS-RunShellScript  2/2    1       1m       df -h …\n`,
    )
  })

  test('of a document of their own tell its parameters', async () => {
    const Parameters = { service: ['nginx'], hosts: ['a', 'b'] }
    const { seen, run } = setUp({ ListCommands: { Commands: [{ ...COMMAND, Parameters }] } })
    await run('commands')
    expect(seen.out).toContain('1m       service=nginx hosts=a,b\n')
  })

  test('are chosen by status and node', async () => {
    const { seen, run } = setUp()
    await run('commands', '--status', 'timedout', '--node', NODE, '--limit', '7')
    expect(seen.calls).toEqual([
      ['ListCommands', { MaxResults: 7, InstanceId: NODE, Filters: [{ key: 'Status', value: 'TimedOut' }] }],
    ])
  })

  test.each([
    [['--status', 'good'], '--status is "good": expected Pending, InProgress'],
    [['--limit', '0'], '--limit is "0": expected a number'],
  ])('%j is refused', async (argv, message) => {
    const { seen, run } = setUp()
    expect(await run('commands', ...argv)).toBe(2)
    expect(seen.err).toContain(message)
  })

  test('that there are none of leave stdout empty', async () => {
    const { seen, run } = setUp({ ListCommands: { Commands: [] } })
    expect(await run('commands')).toBe(0)
    expect([seen.out, seen.err]).toEqual([
      '',
      'Nothing was run yet. For example: sallyport run web-1 -- uptime\n',
    ])
  })
})

describe('a command is shown', () => {
  test('with every node, its status, its exit status and how long it took', async () => {
    const { seen, run } = setUp()
    expect(await run('command', 'show', COMMAND_ID)).toBe(0)
    expect(seen.out).toBe(
      [
        `Command   ${COMMAND_ID}`,
        'Status    Failed',
        'Document  AWS-RunShellScript (version 1)',
        'What      df -h …',
        'Targets   tag:env=dev,test',
        'Nodes     2 of 2 done, 1 failed',
        'Limits    50 at a time; the first failure stops it',
        'Started   1970-01-12T13:45:10.000Z (1m ago)',
        '',
        'NODE                  NAME    STATUS   CODE  DURATION',
        'mi-0123456789abcdef0  web-1   Success  0     1.5s',
        'mi-0123456789abcdef1  web-2?  Failed   2     1m10s',
        '',
      ].join('\n'),
    )
  })

  test('by the beginning of its id', async () => {
    const { seen, run } = setUp()
    expect(await run('command', 'show', COMMAND_ID.slice(0, 8))).toBe(0)
    expect(seen.calls.at(-1)).toEqual([
      'ListCommandInvocations',
      { CommandId: COMMAND_ID, Details: true, MaxResults: 50 },
    ])
  })

  test('on one node, with its steps', async () => {
    const { seen, run } = setUp({ ListCommandInvocations: { CommandInvocations: INVOCATIONS.slice(1) } })
    expect(await run('command', 'show', COMMAND_ID, '--node', NODE)).toBe(0)
    expect(seen.out).toMatch(
      /STEP +STATUS +CODE +DURATION\nfirst +Failed +2 +1.0s\nsecond +Success +0 +1m10s\n/,
    )
  })

  test('as JSON', async () => {
    const { seen, run } = setUp()
    await run('command', 'show', COMMAND_ID, '--json')
    expect(JSON.parse(seen.out)).toEqual({ Command: COMMAND, CommandInvocations: INVOCATIONS })
  })

  test('with all that the nodes wrote', async () => {
    const { context } = setUp({
      GetCommandOutput: { Content: Buffer.from('hi\n').toString('base64'), NextOffset: 3, Ended: true },
      ListCommandInvocations: { CommandInvocations: INVOCATIONS.slice(0, 1) },
    })
    const [stdout, stderr] = [new KeptStream(), new KeptStream()]
    await showCommand(COMMAND_ID, { output: true }, context, { stdout, stderr })
    expect([stdout.text, stderr.text]).toEqual(['\n==> web-1 <==\nhi\n', '==> web-1 (errors) <==\nhi\n'])
  })

  test('with the status that no node has, says so', async () => {
    const { seen, run } = setUp({ ListCommandInvocations: { CommandInvocations: [] } })
    expect(await run('command', 'show', COMMAND_ID, '--status', 'timedout')).toBe(0)
    expect(seen.err).toBe('No node of it is TimedOut.\n')
  })

  test.each([
    ['nothing', 'There is no command "nothing". The newest: sallyport commands'],
    ['ffff', 'There is no command "ffff". The newest: sallyport commands'],
  ])('unless there is none: %s', async (id, message) => {
    const { seen, run } = setUp()
    expect(await run('command', 'show', id)).toBe(1)
    expect(seen.err).toBe(`sallyport: ${message}\n`)
  })

  test('unless the beginning is that of several', async () => {
    const other = { ...COMMAND, CommandId: `${COMMAND_ID.slice(0, -1)}0` }
    const { seen, run } = setUp({ ListCommands: { Commands: [COMMAND, other] } })
    expect(await run('command', 'show', COMMAND_ID.slice(0, 8))).toBe(1)
    expect(seen.err).toContain('2 commands begin with "01234567". Give more of the id.')
  })
})

describe('a command is cancelled', () => {
  const running = { ListCommands: { Commands: [{ ...COMMAND, Status: 'InProgress' }] } }

  test('on all nodes, or on some', async () => {
    const { seen, run } = setUp(running)
    expect(await run('command', 'cancel', COMMAND_ID)).toBe(0)
    expect(seen.calls.at(-1)).toEqual(['CancelCommand', { CommandId: COMMAND_ID }])
    await run('command', 'cancel', COMMAND_ID, NODE)
    expect(seen.calls.at(-1)).toEqual(['CancelCommand', { CommandId: COMMAND_ID, InstanceIds: [NODE] }])
    expect(seen.err).toContain(`Cancelling ${COMMAND_ID} on one node.`)
  })

  test('not when it has ended', async () => {
    const { seen, run } = setUp()
    expect(await run('command', 'cancel', COMMAND_ID)).toBe(0)
    expect(seen.err).toBe(`${COMMAND_ID} had ended already: Failed\n`)
    expect(seen.calls.map(([operation]) => operation)).not.toContain('CancelCommand')
  })
})

test('there is no output of a node that it was not sent to', async () => {
  const { seen, run } = setUp({ ListCommandInvocations: { CommandInvocations: [] } })
  expect(await run('command', 'output', COMMAND_ID, NODE)).toBe(1)
  expect(seen.err).toBe(
    `sallyport: Command ${COMMAND_ID} was not sent to ${NODE}. Its nodes: sallyport command show ${COMMAND_ID}\n`,
  )
})

test('output of a node is both streams of every step, and nothing else', async () => {
  const { seen, context } = setUp({
    GetCommandOutput: { Content: Buffer.from('x\n').toString('base64'), NextOffset: 2, Ended: true },
    ListCommandInvocations: { CommandInvocations: INVOCATIONS.slice(1) },
  })
  const [stdout, stderr] = [new KeptStream(), new KeptStream()]
  expect(await commandOutput(COMMAND_ID, NODE, {}, context, { stdout, stderr })).toBe(0)
  expect([stdout.text, stderr.text]).toEqual(['x\nx\n', 'x\nx\n'])
  const read = seen.calls.filter(([operation]) => operation === 'GetCommandOutput').map(([, input]) => input)
  expect(read).toMatchObject([
    { PluginName: 'first', Stream: 'stdout' },
    { PluginName: 'first', Stream: 'stderr' },
    { PluginName: 'second', Stream: 'stdout' },
    { PluginName: 'second', Stream: 'stderr' },
  ])
})

describe('the words of a command line are told apart', () => {
  test.each([
    [['run', NODE, '--', 'ls', '-l', '--', 'x'], { InstanceIds: [NODE] }, 'ls -l -- x'],
    [['run', '--comment', 'c', 'tag:a=b', '--', 'id'], { Targets: [{ Key: 'tag:a', Values: ['b'] }] }, 'id'],
  ])('%j', async (argv, targets, script) => {
    const { seen, run } = setUp({ SendCommand: { Command: { ...COMMAND, TargetCount: 0 } } })
    expect(await run(...argv)).toBe(1)
    expect(seen.calls.at(-1)).toMatchObject([
      'SendCommand',
      { ...targets, Parameters: { commands: [script] } },
    ])
  })

  test.each([
    [['run', 'web-1', 'ls', '-l'], 'Put -- before the command: sallyport run web-1 web-2 -- ls -l /'],
    [['run', 'web-1', 'uptime'], 'There is no command. For example: sallyport run web-1 web-2 -- uptime'],
    [['run', '--', 'uptime'], 'There are no targets.'],
    [
      ['run', 'web-1', '--output', 'pretty', '--', 'id'],
      '--output is "pretty": expected prefix, grouped, none',
    ],
    [['run', 'web-1', '--file', '/nonexistent'], 'The script /nonexistent cannot be read'],
  ])('%j is explained', async (argv, message) => {
    const { seen, run } = setUp()
    expect(await run(...argv)).toBe(2)
    expect(seen.err).toContain(message)
    expect(seen.calls).toEqual([])
  })
})
