import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addPerson, addRole, awsWith, type Person } from './people.ts'
import { aws1, aws2, connect } from './remote-shell.ts'
import { type Stack, startStack } from './stack.ts'
import { type Environment, run } from './terminal.ts'
import { Tunnels } from './tunnels.ts'

// Temporary credentials as people use them: exported, or taken by the aws CLI itself for a profile with a role.

const ACCOUNT = '123456789012'
const ROLE = `arn:aws:iam::${ACCOUNT}:role/Operators`
const STS = 'sts.us-east-1.amazonaws.com'
const SHELLS = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: ['ssm:StartSession', 'ssm:DescribeInstanceInformation', 'ssm:TerminateSession'],
      Resource: '*',
    },
  ],
}
const ASSUME = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: ROLE }],
}

let stack: Stack
let olga: Person

beforeAll(async () => {
  stack = await startStack({ serverArguments: ['--host-name', 'localhost', '--host-name', STS] })
  olga = await addPerson(stack, 'olga', ASSUME)
  const trust = {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: 'sts:AssumeRole' },
    ],
  }
  await addRole(stack, 'Operators', trust, SHELLS)
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

/** What one exports of what STS printed. */
function exported(printed: string): Environment {
  const { AccessKeyId, SecretAccessKey, SessionToken } = JSON.parse(printed).Credentials
  return {
    ...stack.env,
    AWS_ACCESS_KEY_ID: AccessKeyId,
    AWS_SECRET_ACCESS_KEY: SecretAccessKey,
    AWS_SESSION_TOKEN: SessionToken,
  }
}

async function whoIs(env: Environment): Promise<string> {
  const { code, stdout, stderr } = await awsWith(stack, env)('sts', 'get-caller-identity')
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout).Arn
}

const assumeRole = (session: string, ...more: string[]) =>
  olga.aws('sts', 'assume-role', '--role-arn', ROLE, '--role-session-name', session, ...more)

describe('credentials of a role, exported', () => {
  test('open a shell, which their owner could not, and which bears the name of the role session', async () => {
    const own = await olga.aws('ssm', 'describe-instance-information')
    expect(own.stderr).toContain(
      'An error occurred (AccessDeniedException) when calling the DescribeInstanceInformation operation: User: arn:aws:iam::123456789012:user/olga is not authorized',
    )
    const env = exported((await assumeRole('night-shift')).stdout)
    expect(await whoIs(env)).toBe(`arn:aws:sts::${ACCOUNT}:assumed-role/Operators/night-shift`)
    const nodes = await awsWith(stack, env)('ssm', 'describe-instance-information')
    expect(JSON.parse(nodes.stdout).InstanceInformationList).toHaveLength(1)
    await using shell = await connect(stack, [], { env })
    expect(shell.sessionId).toMatch(/^night-shift-/)
    expect(await shell.run('echo $((6 * 7))')).toBe('42')
    await shell.type('exit\r')
    expect((await shell.ended()).status).toBe(0)
  })

  test('are held within a session policy', async () => {
    const policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'ssm:StartSession', Resource: '*' }],
    })
    const answer = await assumeRole('narrow', '--policy', policy, '--duration-seconds', '900')
    expect(JSON.parse(answer.stdout).PackedPolicySize).toBeGreaterThan(0)
    const nodes = await awsWith(stack, exported(answer.stdout))('ssm', 'describe-instance-information')
    expect(nodes.stderr).toContain('because no session policy allows')
  })

  test('are refused in words that the CLI prints as AWS words them', async () => {
    const other = `arn:aws:iam::${ACCOUNT}:role/Others`
    const names = ['--role-arn', other, '--role-session-name', 'session']
    expect((await olga.aws('sts', 'assume-role', ...names)).stderr.trim()).toMatch(
      new RegExp(
        `^(aws: \\[ERROR\\]: )?An error occurred \\(AccessDenied\\) when calling the AssumeRole operation: User: arn:aws:iam::${ACCOUNT}:user/olga is not authorized to perform: sts:AssumeRole on resource: ${other}$`,
      ),
    )
  })
})

test('a session token stands for its user', async () => {
  const token = await olga.aws('sts', 'get-session-token', '--duration-seconds', '900')
  const env = exported(token.stdout)
  expect(await whoIs(env)).toBe(`arn:aws:iam::${ACCOUNT}:user/olga`)
  const more = await awsWith(stack, env)('sts', 'get-session-token')
  expect(more.stderr).toContain('Cannot call GetSessionToken with session credentials')
  const role = ['--role-arn', ROLE, '--role-session-name', 'from-token']
  const assumed = await awsWith(stack, env)('sts', 'assume-role', ...role)
  expect(await whoIs(exported(assumed.stdout))).toContain('assumed-role/Operators/from-token')
})

// A CLI older than 2.13 takes roles at Amazon's own address alone, whatever --endpoint-url is. Where names are one's own
// (an isolated network) that is another server's, whose certificate has the name: here a proxy makes it so.
describe('a profile with a role', () => {
  let amazons: Tunnels
  beforeAll(async () => {
    amazons = await Tunnels.to(stack.httpsPort)
  })
  afterAll(() => amazons?.[Symbol.asyncDispose]())

  const profileEnv = async (): Promise<Environment> => {
    const [config, credentials] = [join(stack.directory, 'config'), join(stack.directory, 'credentials')]
    const profile = `[profile operators]\nrole_arn = ${ROLE}\nsource_profile = olga\nrole_session_name = by-profile\nregion = us-east-1\n\n[profile ours]\ncredential_process = ${aws2} configure export-credentials --profile operators --format process\nregion = us-east-1\n`
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = olga.env
    await writeFile(config, profile)
    await writeFile(
      credentials,
      `[olga]\naws_access_key_id = ${AWS_ACCESS_KEY_ID}\naws_secret_access_key = ${AWS_SECRET_ACCESS_KEY}\n`,
    )
    return {
      ...stack.env,
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_CONFIG_FILE: config,
      AWS_SHARED_CREDENTIALS_FILE: credentials,
      // Where the CLI keeps what it was given, for the next call.
      HOME: await mkdtemp(join(stack.directory, 'home-')),
      AWS_ENDPOINT_URL: stack.endpoint,
      HTTPS_PROXY: `http://127.0.0.1:${amazons.port}`,
      NO_PROXY: 'localhost,127.0.0.1',
    }
  }
  const nodesWith = async (aws: string) => {
    const call = ['ssm', 'describe-instance-information', '--endpoint-url', stack.endpoint]
    const args = ['--profile', 'operators', '--output', 'json']
    const answer = await run(aws, [...call, ...args], { env: await profileEnv() })
    if (answer.code !== 0) throw new Error(answer.stderr)
    return JSON.parse(answer.stdout).InstanceInformationList
  }

  test('is assumed by the CLI itself, version 2', async () => {
    expect(await nodesWith(aws2)).toHaveLength(1)
  })

  test.runIf(aws1)('and version 1', async () => {
    expect(await nodesWith(aws1 ?? '')).toHaveLength(1)
  })

  // As our command advises who gives it the profile with the role.
  test('opens a shell through our own command and the CLI, which assumes it', async () => {
    const env = { ...(await profileEnv()), AWS_PROFILE: 'ours' }
    await using shell = await connect(stack, [], { env })
    expect(shell.sessionId).toMatch(/^by-profile-/)
    await shell.type('exit\r')
    expect((await shell.ended()).status).toBe(0)
  })
})
