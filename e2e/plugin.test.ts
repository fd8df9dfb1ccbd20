import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aws2 } from './remote-shell.ts'
import { binDirectory, type Stack, startStack } from './stack.ts'
import { openTerminal, run } from './terminal.ts'

// `session-manager-plugin` as other programs than our own run it: the contract of AWS's (data-plane.md 18.1).

const plugin = `${binDirectory}/session-manager-plugin`
const VARIABLE = 'AWS_SSM_START_SESSION_RESPONSE'

let stack: Stack

beforeAll(async () => {
  stack = await startStack()
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

const call = (args: string[], env = {}) => run(plugin, args, { env: { ...stack.env, ...env } })
const request = () => JSON.stringify({ Target: stack.node.id })
const rest = () => ['us-east-1', 'StartSession', '', request(), stack.endpoint]

/** What the aws CLI hands to the plugin after StartSession, taken by a plugin that does nothing else. */
async function begin(
  ...args: string[]
): Promise<{ SessionId: string; TokenValue: string; StreamUrl: string }> {
  const directory = await mkdtemp(join(stack.directory, 'path-'))
  const taker = `#!/bin/sh\n[ "$1" = --version ] && echo 1.0.0.0 || printf %s "$1"\n`
  await writeFile(join(directory, 'session-manager-plugin'), taker, { mode: 0o755 })
  const call = ['ssm', 'start-session', '--target', stack.node.id, '--endpoint-url', stack.endpoint]
  const { stdout } = await run(aws2, [...call, ...args], {
    env: { ...stack.env, PATH: `${directory}:${process.env.PATH}` },
  })
  return JSON.parse(stdout)
}

describe('without a session', () => {
  test('with no arguments it says that it is installed', async () => {
    expect(await call([])).toMatchObject({
      code: 0,
      stdout:
        '\nThe Session Manager plugin was installed successfully. Use the AWS CLI to start a session.\n\n',
      stderr: '',
    })
  })

  test('its version makes the aws CLI hand over the token in the environment', async () => {
    const { code, stdout } = await call(['--version'])
    expect(code).toBe(0)
    const version = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\n$/.exec(stdout)?.slice(1).map(Number) ?? []
    const [major = 0, minor = 0, build = 0] = version
    expect(major * 1e6 + minor * 1e4 + build).toBeGreaterThan(1e6 + 2e4 + 497)
  })

  test('what it does not understand gets AWS’s texts', async () => {
    expect((await call(['--help'])).stdout).toBe(
      '\nUnknown operation --help. \nUse session-manager-plugin --version to check the version.\n\n',
    )
    const answer = JSON.stringify({ SessionId: 's', TokenValue: 't', StreamUrl: 'wss://localhost/' })
    expect((await call([answer, 'us-east-1', 'Frobnicate', '', request(), ''])).stdout).toBe(
      'Invalid Operation',
    )
  })

  test('a broken answer is an error that does not show the token', async () => {
    const answer = `{"SessionId":"s","TokenValue":"very-secret","StreamUrl":`
    const { code, stdout, stderr } = await call([answer, ...rest()])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^Cannot perform start session: the answer of StartSession is not JSON\n$/)
    expect(stdout + stderr).not.toContain('very-secret')
  })
})

describe('with a session', () => {
  test.each(['in the arguments', 'in the environment', 'in camelCase'])('its answer %s', async form => {
    const { SessionId, TokenValue, StreamUrl } = await begin()
    const answer =
      form === 'in camelCase'
        ? JSON.stringify({ sessionId: SessionId, tokenValue: TokenValue, streamUrl: StreamUrl })
        : JSON.stringify({ SessionId, TokenValue, StreamUrl, ResponseMetadata: {} })
    const inEnvironment = form === 'in the environment'
    await using terminal = openTerminal({
      file: plugin,
      args: [inEnvironment ? VARIABLE : answer, ...rest()],
      env: { ...stack.env, ...(inEnvironment && { [VARIABLE]: answer }) },
    })
    await terminal.waitFor(`\nStarting session with SessionId: ${SessionId}\r\n`)
    await terminal.waitFor(/[$#] $/)
    await terminal.send('echo $((20 + 22))\r')
    await terminal.waitFor('42')
    await terminal.send('exit 3\r')
    await terminal.waitFor(`\n\r\nExiting session with sessionId: ${SessionId}.\r\n\r\n`)
    // AWS's plugin never tells what the shell exited with, and scripts rely on 0.
    expect(await terminal.exited).toEqual({ exitCode: 0, signal: null })
  })

  test('the token is gone from the environment before any other program starts', async () => {
    const { SessionId, TokenValue, StreamUrl } = await begin()
    const [seen, helper, config] = ['seen', 'helper', 'config'].map(name => join(stack.directory, name))
    const { AWS_ACCESS_KEY_ID: AccessKeyId, AWS_SECRET_ACCESS_KEY: SecretAccessKey } = stack.env
    const keys = JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey })
    await writeFile(String(helper), `#!/bin/sh\nenv > ${seen}\necho '${keys}'\n`, { mode: 0o700 })
    await writeFile(String(config), `[profile helper]\ncredential_process = ${helper}\n`)
    await using terminal = openTerminal({
      file: plugin,
      args: [VARIABLE, 'us-east-1', 'StartSession', 'helper', request(), stack.endpoint],
      env: {
        ...stack.env,
        AWS_ACCESS_KEY_ID: undefined,
        AWS_SECRET_ACCESS_KEY: undefined,
        AWS_CONFIG_FILE: config,
        [VARIABLE]: JSON.stringify({ SessionId, TokenValue, StreamUrl }),
      },
    })
    await terminal.waitFor(/[$#] $/)
    // Leaving by the escape sequence calls TerminateSession, for which it needs the credentials of the profile.
    await terminal.send('\r~.')
    await terminal.exited
    const environment = await readFile(String(seen), 'utf8')
    expect(environment).toContain('PATH=')
    expect(environment).not.toContain(TokenValue)
    expect(environment).not.toContain(VARIABLE)
  })

  test('a command’s exit status is passed on, but not to an aws that would print its arguments for it', async () => {
    const document = 'AWS-StartNonInteractiveCommand'
    const words = [
      '--document-name',
      document,
      '--parameters',
      '{"command":["sh -c \\"echo out; exit 7\\""]}',
    ]
    const request = JSON.stringify({ Target: stack.node.id, DocumentName: document })
    const last = ['us-east-1', 'StartSession', '', request, stack.endpoint]
    const inEnvironment = JSON.stringify(await begin(...words))
    expect(await call([VARIABLE, ...last], { [VARIABLE]: inEnvironment })).toMatchObject({
      code: 7,
      stdout: 'out\n',
    })
    const inArguments = JSON.stringify(await begin(...words))
    expect(await call([inArguments, ...last])).toMatchObject({ code: 0, stdout: 'out\n' })
    const aws = [
      'ssm',
      'start-session',
      '--target',
      stack.node.id,
      '--endpoint-url',
      stack.endpoint,
      ...words,
    ]
    const { stdout, stderr } = await run(aws2, aws, { env: stack.env })
    expect(stdout).toBe('out\n')
    expect(stderr).not.toContain('TokenValue')
  })

  test('a token works once, and without credentials there is no other', async () => {
    const { SessionId, TokenValue, StreamUrl } = await begin()
    const answer = JSON.stringify({ SessionId, TokenValue, StreamUrl })
    await using terminal = openTerminal({ file: plugin, args: [answer, ...rest()], env: stack.env })
    await terminal.waitFor(/[$#] $/)
    const thief = await call([answer, ...rest()], {
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
    })
    expect(thief.code).toBe(255)
    expect(thief.stdout).toMatch(/credentials/)
    await terminal.send('echo still-$((1))\r')
    await terminal.waitFor('still-1')
  })
})
