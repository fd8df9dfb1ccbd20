import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openSession } from './remote-shell.ts'
import { binDirectory, type Stack, startStack } from './stack.ts'
import { run } from './terminal.ts'

let stack: Stack

beforeAll(async () => {
  stack = await startStack()
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

/** `sallyport exec <the node> <args>` without a terminal, as a script runs it. */
const exec = (args: string[]) =>
  run(`${binDirectory}/sallyport`, ['exec', stack.node.id, ...args], { env: stack.env })

/** Creates a session document with the real aws CLI; answers what it said if it refused. */
async function createDocument(name: string, content: object): Promise<void> {
  const file = join(stack.directory, `${name}.json`)
  await writeFile(file, JSON.stringify({ schemaVersion: '1.0', ...content }))
  await stack.api(
    'create-document',
    '--name',
    name,
    '--document-type',
    'Session',
    '--content',
    `file://${file}`,
  )
}

describe('session documents of one’s own', () => {
  // AWS's example, "Allow users to view a log file" of the user guide.
  const viewLog = {
    description: 'Document to view a log file on a Linux instance',
    sessionType: 'InteractiveCommands',
    parameters: {
      logpath: {
        type: 'String',
        description: 'The log file path to read.',
        default: '/var/log/amazon/ssm/amazon-ssm-agent.log',
        allowedPattern: '^[a-zA-Z0-9-_/]+(.log)$',
      },
    },
    properties: { linux: { commands: 'tail -F {{ logpath }}', runAsElevated: true } },
  }

  test('an interactive one with a parameter, through the real aws', async () => {
    await createDocument('ViewLog', viewLog)
    const log = join(stack.directory, 'app.log')
    await writeFile(log, 'first line\n', { mode: 0o600 })
    await using session = openSession(stack, ['--document-name', 'ViewLog', '--parameters', `logpath=${log}`])
    await session.terminal.waitFor('first line')
    await writeFile(log, 'second line\n', { flag: 'a' })
    await session.terminal.waitFor('second line')
    await session.type('\x03')
    await session.terminal.waitFor('Exiting session')
  })

  test('what does not fit its allowedPattern never gets to the node', async () => {
    const call = ['ssm', 'start-session', '--target', stack.node.id, '--document-name', 'ViewLog']
    for (const logpath of ['/etc/shadow', '/tmp/x.log; id #.log', '$(id).log']) {
      const { code, stderr } = await stack.aws(
        ...call,
        '--parameters',
        JSON.stringify({ logpath: [logpath] }),
      )
      expect(code).not.toBe(0)
      expect(stderr).toContain('InvalidParameters')
    }
  })

  test('a non-interactive one with allowedValues and defaults, through sallyport exec', async () => {
    await createDocument('Greet', {
      sessionType: 'NonInteractiveCommands',
      parameters: {
        greeting: { type: 'String', allowedValues: ['hello', 'bye'], default: 'hello' },
        name: { type: 'String', default: 'the world' },
      },
      properties: { linux: { commands: "printf '%s, %s\\n' {{ greeting }} '{{ name }}'" } },
    })
    const greet = (...args: string[]) => exec(['--document-name', 'Greet', ...args])
    expect(await greet()).toMatchObject({ code: 0, stdout: 'hello, the world\n', stderr: '' })
    expect(await greet('--parameters', 'greeting=bye,name={{ greeting }}; id')).toMatchObject({
      stdout: 'bye, {{ greeting }}; id\n',
    })
    const refused = await greet('--parameters', 'greeting=other')
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toContain('must be one of hello, bye')
  })

  test('one that runs elevated runs as root, and its user otherwise is not', async () => {
    const linux = { commands: 'id -un' }
    await createDocument('Whoami', { sessionType: 'NonInteractiveCommands', properties: { linux } })
    await createDocument('WhoamiElevated', {
      sessionType: 'NonInteractiveCommands',
      properties: { linux: { ...linux, runAsElevated: true } },
    })
    const { stdout: agent } = await run('id', ['-un'])
    expect((await exec(['--document-name', 'WhoamiElevated'])).stdout).toBe(agent)
    if (agent === 'root\n') expect((await exec(['--document-name', 'Whoami'])).stdout).toBe('ssm-user\n')
  })

  test('one that has nothing for this platform fails with the reason', async () => {
    await createDocument('OnlyWindows', {
      sessionType: 'NonInteractiveCommands',
      properties: { windows: { commands: 'dir' } },
    })
    expect(await exec(['--document-name', 'OnlyWindows'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('Commands cannot be empty for session type NonInteractiveCommands'),
    })
  })
})

describe('under the aws CLI', () => {
  const call = (document: string) => ['--document-name', document, '--parameters']

  test('AWS-StartNonInteractiveCommand prints what the command prints', async () => {
    const args = [
      'ssm',
      'start-session',
      '--target',
      stack.node.id,
      ...call('AWS-StartNonInteractiveCommand'),
    ]
    const { stdout } = await stack.aws(...args, 'command="df -h /"')
    expect(stdout).toMatch(/^Filesystem.*\n.* \/\n$/)
  })

  test('AWS-StartInteractiveCommand is on the terminal', async () => {
    await using session = openSession(stack, [...call('AWS-StartInteractiveCommand'), '{"command":["top"]}'])
    await session.terminal.waitFor('load average')
    await session.type('q')
    await session.terminal.waitFor('Exiting session')
    expect(await session.ended()).toMatchObject({ status: 0, restored: true })
  })
})
