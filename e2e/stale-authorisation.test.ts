import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { REVOKED } from './at-work.ts'
import { startDocument } from './hostile-client.ts'
import { call, openData, type RawChannel, type Session } from './hostile-peer.ts'
import { addPerson, iam, type Person } from './people.ts'
import { FIND, may, policy, SESSIONS } from './session-policies.ts'
import { type Stack, startStack } from './stack.ts'

// What was allowed a moment ago is not therefore allowed now, nor is what is allowed under another account's name.

let stack: Stack

beforeAll(async () => {
  stack = await startStack()
})

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
})

describe('security-cases.md 3: between StartSession and the data channel', () => {
  const credentialsOf = ({ env }: Person) => ({
    accessKeyId: env.AWS_ACCESS_KEY_ID ?? '',
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '',
  })
  async function begin(person: Person): Promise<Session> {
    const credentials = credentialsOf(person)
    const answer = await call(stack, 'StartSession', { Target: stack.node.id }, { credentials })
    if (answer.status !== 200) throw new Error(answer.body)
    return JSON.parse(answer.body)
  }
  const attach = ({ StreamUrl, TokenValue: token }: Session) => openData(stack, StreamUrl, { token })
  const refusal = async (channel: RawChannel) => await channel.closed

  test('a key that is deactivated opens nothing', async () => {
    const person = await addPerson(stack, 'hasty', SESSIONS)
    const session = await begin(person)
    const key = ['--user-name', 'hasty', '--access-key-id', person.accessKeyId]
    await iam(stack, 'update-access-key', ...key, '--status', 'Inactive')
    expect(await refusal(await attach(session))).toMatchObject({ code: 1008 })
    const { Sessions } = await stack.api(
      'describe-sessions',
      '--state',
      'History',
      '--filters',
      `key=SessionId,value=${session.SessionId}`,
    )
    expect(Sessions).toMatchObject([
      { Status: 'Terminated', Details: expect.stringContaining('was deactivated') },
    ])
  })

  test('a key that is deactivated resumes nothing, nor does a token of before', async () => {
    const person = await addPerson(stack, 'resumer', SESSIONS)
    const session = await begin(person)
    const first = await attach(session)
    await first.firstMessage()
    expect(await refusal(await attach(session)), 'a token is good once').toMatchObject({ code: 1008 })
    const { SessionId } = session
    const credentials = credentialsOf(person)
    const resumed = await call(stack, 'ResumeSession', { SessionId }, { credentials })
    expect(resumed.status).toBe(200)
    const token = JSON.parse(resumed.body) as Session
    expect(await refusal(await attach(session)), 'and worthless once there is another').toMatchObject({
      code: 1008,
    })
    const key = ['--user-name', 'resumer', '--access-key-id', person.accessKeyId]
    await iam(stack, 'update-access-key', ...key, '--status', 'Inactive')
    await expect.poll(() => first.received.some(frame => Buffer.from(frame).includes(REVOKED))).toBe(true)
    expect(await refusal(await attach(token))).toMatchObject({ code: 1008 })
    const again = await call(stack, 'ResumeSession', { SessionId }, { credentials })
    expect(again.code).toBe('UnrecognizedClientException')
  })
})

test('security-cases.md 18: nodes and documents of another account are not found under the names of ours', async () => {
  const own = 'arn:aws:ssm:*:123456789012:'
  const starts = { ...may('ssm:StartSession'), Resource: [`${own}document/*`, `${own}managed-instance/*`] }
  const { aws } = await addPerson(stack, 'neighbour', policy(may(FIND), starts))
  const foreign = 'arn:aws:ssm:us-east-1:210987654321:'
  const start = (...args: string[]) => aws('ssm', 'start-session', ...args)
  const byDocument = await start('--target', stack.node.id, '--document-name', `${foreign}document/Our-Shell`)
  expect(byDocument.stderr).toContain(
    `is not authorized to perform: ssm:StartSession on resource: ${foreign}document`,
  )
  const byNode = await start('--target', `${foreign}managed-instance/${stack.node.id}`)
  expect(byNode.stderr).toContain('TargetNotConnected')
  await expect(
    startDocument(stack, stack.node.id, { document: `${foreign}document/SSM-SessionManagerRunShell` }),
  ).rejects.toThrow('InvalidDocument')
})
