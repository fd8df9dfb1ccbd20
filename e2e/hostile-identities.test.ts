import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { REVOKED } from './at-work.ts'
import { Bystanders } from './bystanders.ts'
import { HostileClient } from './hostile-client.ts'
import { call, logLines, type Session, signed, ssmRequest } from './hostile-peer.ts'
import { addPerson, awsWith, iam, type Person, withNewKey } from './people.ts'
import { may, policy, SESSIONS } from './session-policies.ts'
import { type Stack, startStack } from './stack.ts'

// People who have a little, and look for more: with narrow policies, with what they can tag, with credentials that were
// stolen, borrowed or taken away (security-cases.md 3, 9, 16-19, 25, 44-46). Whoever works meanwhile notices nothing.

/** What a session may take to end after it was taken away. */
const LIMIT = 5_000
let stack: Stack
let bystanders: Bystanders

beforeAll(async () => {
  stack = await startStack()
  bystanders = await Bystanders.at(stack)
})

afterEach(() => bystanders.expectUndisturbed())

afterAll(async () => {
  await bystanders?.[Symbol.asyncDispose]()
  await stack?.[Symbol.asyncDispose]()
})

const credentialsOf = ({ env }: Pick<Person, 'env'>) => ({
  accessKeyId: env.AWS_ACCESS_KEY_ID ?? '',
  secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '',
})

async function expectDenied(person: Person, ...args: string[]): Promise<string> {
  const { code, stderr } = await person.aws(...args)
  expect({ code, stderr }).toMatchObject({
    code: 254,
    stderr: expect.stringMatching(
      /An error occurred \((AccessDenied|AccessDeniedException|UnauthorizedOperation)\) when calling the \w+ operation: User: \S+ is not authorized to perform: /,
    ),
  })
  return stderr
}

const ROLE = { Effect: 'Allow', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' }
const TRUST = JSON.stringify({ Version: '2012-10-17', Statement: [ROLE] })

describe('somebody who may open shells', () => {
  let mallory: Person
  beforeAll(async () => {
    const own = 'arn:aws:ssm:*:*:session/${aws:username}-*'
    const sessions = { Effect: 'Allow', Action: ['ssm:TerminateSession', 'ssm:ResumeSession'], Resource: own }
    mallory = await addPerson(stack, 'mallory', policy(may('ssm:StartSession'), sessions))
    await iam(stack, 'create-user', '--user-name', 'hidden', '--path', '/board/')
    await iam(stack, 'create-group', '--group-name', 'admins')
  })

  test('becomes nobody else, by none of the ways that lead there', async () => {
    const administrator = 'arn:aws:iam::aws:policy/AdministratorAccess'
    const me = ['--user-name', 'mallory']
    const open = ['--assume-role-policy-document', TRUST]
    for (const args of [
      ['attach-user-policy', ...me, '--policy-arn', administrator],
      ['put-user-policy', ...me, '--policy-name', 'x', '--policy-document', '{}'],
      ['add-user-to-group', ...me, '--group-name', 'admins'],
      ['create-access-key', '--user-name', 'admin'],
      ['create-access-key'],
      ['create-login-profile', '--user-name', 'admin', '--password', 'Correct-horse-1'],
      ['create-role', '--role-name', 'mine', ...open],
      ['create-role', '--role-name', 'mine', ...open, '--tags', 'Key=team,Value=admins'],
      ['update-assume-role-policy', '--role-name', 'SSMServiceRole', '--policy-document', TRUST],
      ['attach-role-policy', '--role-name', 'SSMServiceRole', '--policy-arn', administrator],
      ['tag-user', ...me, '--tags', 'Key=SSMSessionRunAs,Value=root'],
      ['update-user', ...me, '--new-user-name', 'admin2'],
      ['get-account-authorization-details'],
      ['list-users'],
    ]) {
      await expectDenied(mallory, 'iam', ...args)
    }
    const role = ['--role-arn', `arn:aws:iam::${await account()}:role/SSMServiceRole`]
    expect(
      (await mallory.aws('sts', 'assume-role', ...role, '--role-session-name', 'mallory')).stderr,
    ).toContain('(AccessDenied)')
    await expectDenied(mallory, 'ssm', 'create-activation', '--iam-role', 'SSMServiceRole')
  })

  test('is told the same of whom there is as of whom there is not', async () => {
    const of = async (name: string) =>
      (await expectDenied(mallory, 'iam', 'get-user', '--user-name', name)).replaceAll(name, 'NAME')
    expect(await of('hidden')).toBe(await of('nobody'))
    const keyOf = async (key: string) =>
      await expectDenied(mallory, 'iam', 'get-access-key-last-used', '--access-key-id', key)
    const there = await keyOf(String(stack.env.AWS_ACCESS_KEY_ID))
    expect(there).toBe(await keyOf('AKIANOBODY0000000000'))
  })

  test('ends and resumes no session of anybody else', async () => {
    const { SessionId } = await start(credentialsOf({ env: stack.env }))
    for (const operation of ['resume-session', 'terminate-session']) {
      const told = async (id: string) => {
        const { stderr } = await mallory.aws('ssm', operation, '--session-id', id)
        return stderr.replaceAll(id, 'ID')
      }
      expect(await told(SessionId)).toBe(await told('admin-00000000000000000'))
    }
    const { Sessions } = await stack.api('describe-sessions', '--state', 'Active')
    expect(Sessions.map((session: { SessionId: string }) => session.SessionId)).toContain(SessionId)
    await stack.api('terminate-session', '--session-id', SessionId)
  })
})

async function start(credentials: ReturnType<typeof credentialsOf>): Promise<Session> {
  const answer = await call(stack, 'StartSession', { Target: stack.node.id }, { credentials })
  expect(answer.status, answer.body).toBe(200)
  return JSON.parse(answer.body) as Session
}

test('a session that a stolen key took over ends with that key, though it was started with another', async () => {
  const owner = await addPerson(stack, 'two-keys', SESSIONS)
  const thief = await withNewKey(stack, 'two-keys')
  const { SessionId } = await start(credentialsOf(owner))
  const resumed = await call(stack, 'ResumeSession', { SessionId }, { credentials: credentialsOf(thief) })
  const client = await HostileClient.dial(stack, JSON.parse(resumed.body) as Session, { document: '' })
  await client.until(() => client.handshakes > 0)
  const key = ['--user-name', 'two-keys', '--access-key-id', thief.accessKeyId]
  const asked = performance.now()
  await iam(stack, 'update-access-key', ...key, '--status', 'Inactive')
  expect(await client.ended).toBe(REVOKED)
  expect(performance.now() - asked).toBeLessThan(LIMIT)
  client.leave()
  const filters = `key=SessionId,value=${SessionId}`
  const { Sessions } = await stack.api('describe-sessions', '--state', 'History', '--filters', filters)
  expect(Sessions).toMatchObject([{ Details: expect.stringContaining(`access key ${thief.accessKeyId}`) }])
  // The owner's own key is as good as before.
  await stack.api('terminate-session', '--session-id', (await start(credentialsOf(owner))).SessionId)
})

test('a user who was deleted is refused whatever they still hold', async () => {
  const leaver = await addPerson(stack, 'leaver', policy(may('*')))
  const role = ['create-role', '--role-name', 'Keepsake', '--assume-role-policy-document', TRUST]
  await iam(stack, ...(role as [string, ...string[]]))
  const assume = ['sts', 'assume-role', '--role-arn', `arn:aws:iam::${await account()}:role/Keepsake`]
  const { stdout } = await leaver.aws(...assume, '--role-session-name', 'later')
  const { Credentials } = JSON.parse(stdout)
  const kept = awsWith(stack, {
    ...leaver.env,
    AWS_ACCESS_KEY_ID: Credentials.AccessKeyId,
    AWS_SECRET_ACCESS_KEY: Credentials.SecretAccessKey,
    AWS_SESSION_TOKEN: Credentials.SessionToken,
  })
  expect((await kept('sts', 'get-caller-identity')).code).toBe(0)
  const of = ['--user-name', 'leaver']
  await iam(stack, 'delete-access-key', ...of, '--access-key-id', leaver.accessKeyId)
  await iam(stack, 'delete-user-policy', ...of, '--policy-name', 'policy-1')
  await iam(stack, 'delete-user', ...of)
  // Who has the name now is somebody else.
  await addPerson(stack, 'leaver', policy(may('*')))
  for (const aws of [leaver.aws, kept]) {
    expect((await aws('sts', 'get-caller-identity')).stderr).toContain('(InvalidClientTokenId)')
    expect((await aws('ssm', 'describe-sessions', '--state', 'Active')).stderr).toContain(
      '(UnrecognizedClientException)',
    )
  }
})

async function account(): Promise<string> {
  const { stdout } = await stack.aws('sts', 'get-caller-identity')
  return JSON.parse(stdout).Account
}

test('whoever hangs up at once has come from somewhere all the same', async () => {
  const asked = 10
  const sockets = await Promise.all(Array.from({ length: asked }, connected))
  // Connections are taken in turn: when a later one has its answer, the server has these.
  await fetch(`${stack.httpEndpoint}/healthz`)
  // The server is busy: it reads what they want when they have left already.
  process.kill(stack.server.pid, 'SIGSTOP')
  try {
    await Promise.all(sockets.map(hangUp))
  } finally {
    process.kill(stack.server.pid, 'SIGCONT')
  }
  await expect.poll(() => logLines(stack, '"operation":"DescribeActivations"').length).toBe(asked)
  const addresses = logLines(stack, '"operation":"DescribeActivations"').map(({ address }) => address)
  expect(new Set(addresses)).toEqual(new Set(['127.0.0.1']))
})

async function connected(): Promise<Socket> {
  const { hostname, port } = new URL(stack.httpEndpoint)
  const socket = connectTcp(Number(port), hostname)
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** A request, complete and signed, on a connection that is gone by the time it is read. */
async function hangUp(socket: Socket): Promise<void> {
  const { body, headers } = signed(stack, ssmRequest(stack, 'DescribeActivations', {}))
  const lines = [...headers, ['content-length', String(body.length)]].map(
    ([name, value]) => `${name}: ${value}`,
  )
  const text = `POST / HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${Buffer.from(body)}`
  await new Promise<void>(resolve => socket.write(text, () => resolve()))
  socket.resetAndDestroy()
}
