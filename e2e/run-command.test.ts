import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addPerson, type Person } from './people.ts'
import { type Node, type Stack, startStack } from './stack.ts'

// Run Command as the guides use it: the real aws CLI, on a node that accepts no connection.

/** From a guide, word for word. */
const AUTOMATIONS = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: ['ssm:SendCommand', 'ssm:ListCommandInvocations', 'ssm:GetCommandInvocation'],
      Resource: '*',
    },
  ],
}
const ENDED = /^(Success|Failed|TimedOut|Cancelled)$/

let stack: Stack
let web: Node
let db: Node
let operator: Person
let stranger: Person

beforeAll(async () => {
  stack = await startStack({ nodes: 0 })
  web = await stack.addNode('web')
  db = await stack.addNode('db')
  operator = await addPerson(stack, 'operator', AUTOMATIONS)
  stranger = await addPerson(stack, 'stranger')
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

describe('the commands of the guides', () => {
  test('disk usage by instance id, its output by list-command-invocations', async () => {
    const sent = await ok(operator, [
      ...['send-command', '--instance-ids', web.id],
      ...['--document-name', 'AWS-RunShellScript', '--comment', 'Check disk usage'],
      ...['--parameters', 'commands=["df -h"]'],
    ])
    expect(sent.Command).toMatchObject({
      DocumentName: 'AWS-RunShellScript',
      Comment: 'Check disk usage',
      InstanceIds: [web.id],
      TargetCount: 1,
    })
    // There at once: no InvocationDoesNotExist, whoever asks first.
    const { CommandId } = sent.Command
    await ok(operator, ['get-command-invocation', '--command-id', CommandId, '--instance-id', web.id])
    await ok(operator, ['wait', 'command-executed', '--command-id', CommandId, '--instance-id', web.id])
    const { CommandInvocations } = await ok(operator, [
      ...['list-command-invocations', '--command-id', CommandId, '--details'],
    ])
    expect(CommandInvocations).toHaveLength(1)
    expect(CommandInvocations[0]).toMatchObject({
      CommandId,
      InstanceId: web.id,
      Comment: 'Check disk usage',
      Status: 'Success',
      StatusDetails: 'Success',
      CommandPlugins: [{ Name: 'aws:runShellScript', Status: 'Success', ResponseCode: 0 }],
    })
    expect(CommandInvocations[0].CommandPlugins[0].Output).toMatch(/^Filesystem .*\n/)
  })

  test('uptime by Key=instanceIds, its output by get-command-invocation', async () => {
    const { Command } = await ok(operator, [
      ...['send-command', '--document-name', 'AWS-RunShellScript'],
      ...['--targets', `Key=instanceIds,Values=${web.id}`, '--parameters', 'commands=["uptime"]'],
    ])
    const invocation = await ended(Command.CommandId, web.id)
    expect(invocation).toMatchObject({ Status: 'Success', ResponseCode: 0, StandardErrorContent: '' })
    expect(invocation.StandardOutputContent).toMatch(/load average/)
    expect(invocation.ExecutionElapsedTime).toMatch(/^PT[\d.]+S$/)
  })

  test('all invocations, without an id, newest first', async () => {
    const { CommandInvocations } = await ok(operator, ['list-command-invocations', '--details'])
    const times = CommandInvocations.map(({ RequestedDateTime }: Invocation) => Date.parse(RequestedDateTime))
    expect(times.length).toBeGreaterThanOrEqual(2)
    expect(times).toEqual([...times].sort((a, b) => b - a))
  })

  test.each([
    ['SendCommand', ['send-command', '--document-name', 'AWS-RunShellScript', '--instance-ids', 'ID']],
    ['ListCommandInvocations', ['list-command-invocations', '--details']],
    [
      'GetCommandInvocation',
      ['get-command-invocation', '--command-id', crypto.randomUUID(), '--instance-id', 'ID'],
    ],
    ['CancelCommand', ['cancel-command', '--command-id', crypto.randomUUID()]],
  ])('%s without the permission is AccessDeniedException', async (operation, args) => {
    const { code, stderr } = await stranger.aws('ssm', ...args.map(arg => (arg === 'ID' ? web.id : arg)))
    expect(code).not.toBe(0)
    expect(stderr).toContain(
      `An error occurred (AccessDeniedException) when calling the ${operation} operation`,
    )
  })
})

describe('what a command does', () => {
  test('its exit status and both streams are told apart', async () => {
    const invocation = await run('echo out; echo err >&2; exit 3')
    expect(invocation).toMatchObject({
      Status: 'Failed',
      StatusDetails: 'Failed',
      ResponseCode: 3,
      StandardOutputContent: 'out\n',
    })
    expect(invocation.StandardErrorContent).toBe('err\nfailed to run commands: exit status 3')
  })

  test('it runs on every node that has the tag, and by --targets none without it', async () => {
    for (const [node, value] of [
      [web, 'web'],
      [db, 'db'],
    ] as const) {
      await stack.api(
        'add-tags-to-resource',
        ...['--resource-type', 'ManagedInstance', '--resource-id', node.id],
        ...['--tags', `Key=role,Value=${value}`, 'Key=env,Value=test'],
      )
    }
    const send = async (...targets: string[]) => {
      const { Command } = await stack.api(
        'send-command',
        ...['--document-name', 'AWS-RunShellScript', '--parameters', 'commands=["true"]'],
        ...['--targets', ...targets],
      )
      return await invocationsOf(Command.CommandId)
    }
    expect(await send('Key=tag:env,Values=test')).toEqual([db.id, web.id].sort())
    expect(await send('Key=tag:env,Values=test', 'Key=tag:role,Values=db')).toEqual([db.id])
    expect(await send('Key=tag:env,Values=production')).toEqual([])
  })

  test('a cancelled one is stopped with all that it started', async () => {
    const pidFile = join(stack.directory, 'cancelled.pid')
    const { Command } = await stack.api(
      'send-command',
      ...['--instance-ids', web.id, '--document-name', 'AWS-RunShellScript'],
      ...[
        '--parameters',
        `commands=["sleep 1000 & echo $! > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; wait"]`,
      ],
    )
    while (!existsSync(pidFile)) await sleep(20)
    await stack.api('cancel-command', '--command-id', Command.CommandId)
    const invocation = await ended(Command.CommandId, web.id)
    expect(invocation).toMatchObject({ Status: 'Cancelled', StatusDetails: 'Cancelled' })
    expect(runs(readFileSync(pidFile, 'utf8').trim())).toBe(false)
    const { Commands } = await stack.api('list-commands', '--command-id', Command.CommandId)
    expect(Commands[0]).toMatchObject({ Status: 'Cancelled', TargetCount: 1, CompletedCount: 1 })
  })

  test('one that takes too long is stopped at its executionTimeout', async () => {
    const invocation = await run('echo begun; sleep 60', 'executionTimeout=["5"]')
    expect(invocation).toMatchObject({
      Status: 'TimedOut',
      StatusDetails: 'ExecutionTimedOut',
      StandardOutputContent: 'begun\n',
    })
  })

  test('an offline node gets it when it comes back', async () => {
    await db.process.stop()
    const { Command } = await stack.api(
      'send-command',
      ...['--instance-ids', db.id, '--document-name', 'AWS-RunShellScript'],
      ...['--parameters', 'commands=["echo I am back"]'],
    )
    expect(await invocation(Command.CommandId, db.id)).toMatchObject({ Status: 'Pending', ResponseCode: -1 })
    stack.nodes.splice(stack.nodes.indexOf(db), 1)
    db = await stack.startNode(db.stateDirectory)
    expect(await ended(Command.CommandId, db.id)).toMatchObject({
      Status: 'Success',
      StandardOutputContent: 'I am back\n',
    })
  })

  test('200 KB of output: 24,000 characters of it by AWS’s operation, all of it by ours', async () => {
    const { Command } = await stack.api(
      'send-command',
      ...['--instance-ids', web.id, '--document-name', 'AWS-RunShellScript'],
      ...['--parameters', 'commands=["seq 1 40000"]'],
    )
    const { StandardOutputContent } = await ended(Command.CommandId, web.id)
    expect(StandardOutputContent.length).toBeLessThanOrEqual(24_000)
    expect(StandardOutputContent).toMatch(/^1\n2\n3\n[\s\S]*--output truncated--/)
    const { stdout, code } = await stack.sallyport('command', 'output', Command.CommandId, web.id)
    expect(code).toBe(0)
    expect(stdout).toBe(Array.from({ length: 40_000 }, (_, at) => `${at + 1}\n`).join(''))
  })

  test('metacharacters in a parameter stay in their place in environment mode', async () => {
    const content = JSON.stringify({
      schemaVersion: '2.2',
      description: 'Says what it is told.',
      parameters: { Message: { type: 'String', interpolationType: 'ENV_VAR' } },
      mainSteps: [
        { action: 'aws:runShellScript', name: 'say', inputs: { runCommand: ['printf %s "{{ Message }}"'] } },
      ],
    })
    await stack.api(
      'create-document',
      ...['--name', 'Say', '--document-type', 'Command', '--content', content],
    )
    const message = '"; touch /tmp/sallyport-escaped; $(id) `id` \\" \'\n$HOME'
    const parameters = JSON.stringify({ Message: [message] })
    const { Command } = await stack.api(
      'send-command',
      ...['--instance-ids', web.id, '--document-name', 'Say', '--parameters', parameters],
    )
    const { StandardOutputContent } = await ended(Command.CommandId, web.id)
    expect(StandardOutputContent).toBe(message)
    expect(existsSync('/tmp/sallyport-escaped')).toBe(false)
  })
})

describe('errors', () => {
  const shell = ['--document-name', 'AWS-RunShellScript', '--parameters', 'commands=["true"]']
  const nobody = 'mi-00000000000000000'

  test.each([
    ['InvalidInstanceId', ['--instance-ids', nobody, ...shell], nobody],
    ['DuplicateInstanceId', ['--instance-ids', 'WEB', 'WEB', ...shell], 'WEB'],
    ['InvalidDocument', ['--instance-ids', 'WEB', '--document-name', 'No-Such'], 'No-Such'],
    ['InvalidDocument', ['--instance-ids', 'WEB', '--document-name', 'AWS-StartSSHSession'], 'Session'],
    ['InvalidParameters', ['--instance-ids', 'WEB', '--document-name', 'AWS-RunShellScript'], 'commands'],
    [
      'InvalidParameters',
      ['--instance-ids', 'WEB', ...shell.slice(0, 2), '--parameters', 'comands=x'],
      'comands',
    ],
  ])('%s says which', async (code, args, which) => {
    const known = (text: string) => text.replace('WEB', web.id)
    const { stderr } = await stack.aws('ssm', 'send-command', ...args.map(known))
    expect(stderr).toContain(`An error occurred (${code}) when calling the SendCommand operation`)
    expect(stderr).toContain(known(which))
  })
})

/** Not as a zombie, which only waits for somebody to look. */
function runs(pid: string): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** The `aws ssm` of a person, which has to succeed. */
// biome-ignore lint/suspicious/noExplicitAny: JSON of whatever operation was called
async function ok(person: Person, args: string[]): Promise<any> {
  const { code, stdout, stderr } = await person.aws('ssm', ...args)
  if (code !== 0) throw new Error(`aws ssm ${args.join(' ')}: ${stderr}`)
  return stdout.trim() === '' ? {} : JSON.parse(stdout)
}

async function run(command: string, ...more: string[]): Promise<Invocation> {
  const parameters = JSON.stringify({ commands: [command], ...Object.fromEntries(more.map(readParameter)) })
  const { Command } = await stack.api(
    'send-command',
    ...['--instance-ids', web.id, '--document-name', 'AWS-RunShellScript', '--parameters', parameters],
  )
  return await ended(Command.CommandId, web.id)
}

function readParameter(text: string): [string, unknown] {
  const [name = '', value = ''] = text.split('=')
  return [name, JSON.parse(value)]
}

function invocation(commandId: string, nodeId: string): Promise<Invocation> {
  return stack.api('get-command-invocation', '--command-id', commandId, '--instance-id', nodeId)
}

async function ended(commandId: string, nodeId: string): Promise<Invocation> {
  const input = { CommandId: commandId, InstanceId: nodeId }
  while (!ENDED.test((await stack.ask('GetCommandInvocation', input)).Status)) await sleep(20)
  return await invocation(commandId, nodeId)
}

async function invocationsOf(commandId: string): Promise<string[]> {
  const { CommandInvocations } = await stack.api('list-command-invocations', '--command-id', commandId)
  return CommandInvocations.map(({ InstanceId }: Invocation) => InstanceId).sort()
}

type Invocation = {
  InstanceId: string
  RequestedDateTime: string
  Status: string
  ResponseCode: number
  StandardOutputContent: string
  StandardErrorContent: string
  ExecutionElapsedTime: string
}
