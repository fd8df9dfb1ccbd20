import { describe, expect, test } from 'vitest'
import { type PluginCall, runPlugin } from './plugin.ts'

const VARIABLE = 'AWS_SSM_START_SESSION_RESPONSE'
const RESPONSE = JSON.stringify({
  SessionId: 's-1',
  TokenValue: 't-1',
  StreamUrl: 'wss://x/v1/data-channel/s-1',
  ResponseMetadata: { RequestId: 'r' },
})
const ECS = JSON.stringify({ sessionId: 's-1', tokenValue: 't-1', streamUrl: 'wss://x/v1/data-channel/s-1' })
const LOST = { reason: 'lost\x1b[2J', exitCode: 255 }
const REQUEST = '{"Target":"mi-1","Parameters":{"portNumber":["22"]}}'
const SESSION = { sessionId: 's-1', tokenValue: 't-1', streamUrl: 'wss://x/v1/data-channel/s-1' }

const run = async (
  argv: string[],
  env: Record<string, string> = {},
  { end = { reason: '', exitCode: 0 }, announces = true } = {},
) => {
  let out = ''
  let err = ''
  const calls: PluginCall[] = []
  const seenEnvironments: object[] = []
  const status = await runPlugin(argv, env, {
    out: text => {
      out += text
    },
    err: text => {
      err += text
    },
    run: async (call, environment, announce) => {
      calls.push(call)
      seenEnvironments.push({ ...environment })
      if (announces) announce()
      return end
    },
  })
  return { out, err, calls, status, env, seenEnvironments }
}

describe('without a session', () => {
  test.each([
    [
      [],
      0,
      '\nThe Session Manager plugin was installed successfully. Use the AWS CLI to start a session.\n\n',
    ],
    [['--version'], 0, '1.2.764.0\n'],
    [['-v'], 2, '\nUnknown operation -v. \nUse session-manager-plugin --version to check the version.\n\n'],
    [
      ['--version', 'x'],
      2,
      '\nUnknown operation --version. \nUse session-manager-plugin --version to check the version.\n\n',
    ],
    [[RESPONSE, 'us-east-1', 'ResumeSession', '', REQUEST, 'https://e'], 2, 'Invalid Operation'],
  ])('%j: exit status %i', async (argv, status, out) => {
    expect(await run(argv)).toMatchObject({ status, out, calls: [] })
  })
})

describe('with a session', () => {
  const call = {
    session: SESSION,
    inline: true,
    region: 'eu-1',
    profile: 'p',
    endpointUrl: 'https://e',
    isShell: true,
  }
  const fromEnvironment = { ...call, inline: false }
  const asked = { documentName: 'D', parameters: { localPortNumber: ['1'] } }
  const started = '\nStarting session with SessionId: s-1\n\n\nExiting session with sessionId: s-1.\n\n'
  test.each([
    ['in the environment', [VARIABLE, 'eu-1', 'StartSession', 'p', REQUEST, 'https://e'], fromEnvironment],
    [
      'in a variable with a longer name',
      [`${VARIABLE}_2`, 'eu-1', 'StartSession', 'p', REQUEST, 'https://e'],
      fromEnvironment,
    ],
    [
      'in argv, as older aws CLIs give it',
      [RESPONSE, 'eu-1', 'StartSession', 'p', REQUEST, 'https://e'],
      call,
    ],
    [
      'in camelCase, as ECS gives it',
      [ECS, 'eu-1', 'StartSession', 'p', '{"Target":"ecs:c_t_r"}', 'https://e'],
      call,
    ],
    [
      'without profile and endpoint',
      [RESPONSE, 'eu-1', 'StartSession', '', REQUEST, ''],
      { ...call, profile: undefined, endpointUrl: undefined },
    ],
    [
      'in the legacy form',
      [RESPONSE, 'eu-1', 'StartSession'],
      { ...call, profile: undefined, endpointUrl: undefined, isShell: false },
    ],
    ['with arguments to spare', [RESPONSE, 'eu-1', 'StartSession', 'p', REQUEST, 'https://e', 'more'], call],
  ])('%s', async (_, argv, expected) => {
    const result = await run(argv, { [VARIABLE]: RESPONSE, [`${VARIABLE}_2`]: RESPONSE })
    expect(result).toMatchObject({ status: 0, calls: [expected], out: started })
  })

  test('the token leaves the environment before anything runs in it', async () => {
    const env = { [VARIABLE]: RESPONSE, HOME: '/h' }
    const { seenEnvironments } = await run([VARIABLE, 'r', 'StartSession', '', REQUEST, 'https://e'], env)
    expect(env).toEqual({ HOME: '/h' })
    expect(seenEnvironments).toEqual([{ HOME: '/h' }])
  })

  test('one that is for its bytes alone has nothing else on stdout, and its failure on stderr', async () => {
    const argv = [RESPONSE, 'r', 'StartSession', '', REQUEST, 'https://e']
    expect(await run(argv, {}, { announces: false })).toMatchObject({ status: 0, out: '', err: '' })
    expect(await run(argv, {}, { announces: false, end: LOST })).toMatchObject({
      status: 255,
      out: '',
      err: '\n\nSessionId: s-1 : lost?[2J\n\n',
    })
  })

  test('a command’s exit status is the plugin’s, a shell’s is not', async () => {
    const argv = [VARIABLE, 'r', 'StartSession', '', REQUEST, 'https://e']
    const env = () => ({ [VARIABLE]: RESPONSE })
    const end = { reason: '', exitCode: 0, exitStatus: 7 }
    expect(await run(argv, env(), { announces: false, end })).toMatchObject({ status: 7, out: '' })
    expect(await run(argv, env(), { announces: true, end })).toMatchObject({ status: 0 })
  })

  test('no command’s exit status makes an aws that has the token among the arguments print it', async () => {
    const argv = [RESPONSE, 'r', 'StartSession', '', REQUEST, 'https://e']
    const end = { reason: '', exitCode: 0, exitStatus: 7 }
    expect(await run(argv, {}, { announces: false, end })).toMatchObject({ status: 0, out: '', err: '' })
    // The token is spent, and scripts rely on it.
    const failed = { reason: 'refused', exitCode: 1, exitStatus: 7 }
    expect(await run(argv, {}, { announces: false, end: failed })).toMatchObject({ status: 1 })
  })

  test.each([
    ['{"Target":"mi-1"}', true],
    ['{"Target":"mi-1","DocumentName":"AWS-StartSSHSession"}', false],
    [undefined, false],
    ['{"Target":"mi-1","DocumentName":"D","Parameters":{"localPortNumber":["1"]}}', false, asked],
    ['{"Target":"mi-1","DocumentName":"D","Parameters":null}', false, { parameters: {} }],
  ])('that was asked for by %s is a shell for certain: %s', async (request, isShell, asked: object = {}) => {
    const { calls } = await run([RESPONSE, 'r', 'StartSession', ...(request ? ['', request] : [])])
    expect(calls).toMatchObject([{ isShell, asked }])
  })

  test('one that fails says why and has its exit status', async () => {
    const result = await run([RESPONSE, 'r', 'StartSession'], {}, { end: LOST })
    expect(result).toMatchObject({
      status: 255,
      out: '\nStarting session with SessionId: s-1\n\n\nSessionId: s-1 : lost?[2J\n\n',
    })
  })
})

describe('what cannot be started', () => {
  const incomplete = (member: string) => JSON.stringify({ ...JSON.parse(RESPONSE), [member]: undefined })
  test.each([
    [[VARIABLE, 'r', 'StartSession'], `the environment variable ${VARIABLE} is not set`],
    [['{"TokenValue":"secret', 'r', 'StartSession'], 'the answer of StartSession is not JSON'],
    [['null', 'r', 'StartSession'], 'the answer of StartSession has no StreamUrl'],
    [[incomplete('SessionId'), 'r', 'StartSession'], 'the answer of StartSession has no SessionId'],
    [[incomplete('TokenValue'), 'r', 'StartSession'], 'the answer of StartSession has no TokenValue'],
    [
      [RESPONSE.replace('wss:', 'file:'), 'r', 'StartSession'],
      'the StreamUrl of StartSession is no ws: or wss: address',
    ],
    [[RESPONSE, 'r', 'StartSession', '', '{}'], 'the fifth argument must be JSON with a string "Target"'],
    [[RESPONSE, 'r', 'StartSession', '', 'null'], 'the fifth argument must be JSON with a string "Target"'],
    [[RESPONSE, 'r', 'StartSession', '', ''], 'the fifth argument must be JSON with a string "Target"'],
  ])('%j', async (argv, message) => {
    expect(await run(argv)).toMatchObject({
      status: 1,
      calls: [],
      out: `Cannot perform start session: ${message}\n`,
    })
  })
})
