import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../api/testing.ts'
import { Identities } from '../iam/identities.ts'
import type { Person } from '../iam/principal.ts'
import { testScope as scope } from '../store/testing.ts'
import { SessionAuthority } from './authority.ts'
import { resumedRecord } from './record.ts'

// A session that is resumed belongs to whoever resumed it as much as to whoever started it: both have to be allowed it.

let api: ApiForTest
let authority: SessionAuthority
let people = 0

beforeAll(async () => {
  api = await openApi()
  const { store, access, accessCache: cache, nodeRoles } = api
  const parts = { store, scope, partition: 'aws', cache, access, nodeRoles, now: () => api.now }
  authority = new SessionAuthority({ ...parts, identities: new Identities(parts) })
})
afterAll(() => api.dispose())

const FACTS = { now: 0, sourceIp: '', secureTransport: true, userAgent: '' }
const by = ({ accessKeyId: longTermKeyId }: Credentials): Person => {
  return { kind: 'user', arn: '', userId: '', userName: '', longTermKeyId }
}

/** A user with two keys, and a session that was started with the first. */
async function started() {
  const userName = `alice-${++people}`
  const first = await api.user(userName)
  const { SessionId } = await api.ok('StartSession', { Target: await api.onlineNode() }, first)
  const { body } = await api.iam('CreateAccessKey', { UserName: userName })
  const element = (name: string) => new RegExp(`<${name}>(.*?)<`).exec(String(body.text))?.[1] ?? ''
  const second = { accessKeyId: element('AccessKeyId'), secretAccessKey: element('SecretAccessKey') }
  return { userName, first, second, sessionId: String(SessionId) }
}

async function denial(sessionId: string): Promise<string | undefined> {
  const session = await api.store.sessions.get(scope, sessionId)
  return session && (await authority.denial(session))
}

const resume = (SessionId: string, who: Credentials) => api.ok('ResumeSession', { SessionId }, who)
const deactivate = (UserName: string, { accessKeyId: AccessKeyId }: Credentials) =>
  api.iam('UpdateAccessKey', { UserName, AccessKeyId, Status: 'Inactive' })

test('a stolen second key does not keep the session that it took over', async () => {
  const { userName, second, sessionId } = await started()
  await resume(sessionId, second)
  expect(await denial(sessionId)).toBeUndefined()
  await deactivate(userName, second)
  expect(await denial(sessionId)).toBe(`access key ${second.accessKeyId} was deactivated`)
})

test('nor does it by having the first resume the session again', async () => {
  const { userName, first, second, sessionId } = await started()
  await resume(sessionId, second)
  await resume(sessionId, first)
  await deactivate(userName, second)
  expect(await denial(sessionId)).toContain(second.accessKeyId)
})

test('a key that never had the session ends nothing', async () => {
  const { userName, first, second, sessionId } = await started()
  await resume(sessionId, first)
  await deactivate(userName, second)
  expect(await denial(sessionId)).toBeUndefined()
})

test('of two that resume it at once none is forgotten', async () => {
  const { second, sessionId } = await started()
  const third = { ...second, accessKeyId: 'AKIATHIRD' }
  await Promise.all(
    [second, third].map((who, i) =>
      api.store.sessions.setClientToken(scope, sessionId, {
        hash: `h${i}`,
        expiresAt: api.now + 1,
        authority: before => resumedRecord(before, by(who), FACTS),
      }),
    ),
  )
  const { authority } = (await api.store.sessions.get(scope, sessionId)) ?? {}
  const { resumedBy } = authority as { resumedBy: unknown[] }
  expect(resumedBy).toHaveLength(2)
})

test('the first key ends it as before', async () => {
  const { userName, first, second, sessionId } = await started()
  await resume(sessionId, second)
  await deactivate(userName, first)
  expect(await denial(sessionId)).toBe(`access key ${first.accessKeyId} was deactivated`)
})

test('however often it is resumed, what is remembered is short', async () => {
  const { first, second, sessionId } = await started()
  for (let i = 0; i < 20; i++) await resume(sessionId, i % 2 === 0 ? first : second)
  const session = await api.store.sessions.get(scope, sessionId)
  expect(session?.authority).toMatchObject({ resumedBy: [{ person: { longTermKeyId: second.accessKeyId } }] })
})

test('what is denied explicitly ends it', async () => {
  const { userName, second, sessionId } = await started()
  await resume(sessionId, second)
  const owner = { ownerType: 'user', ownerName: userName } as const
  const denying = {
    Effect: 'Deny',
    Action: 'ssmmessages:OpenDataChannel',
    Resource: '*',
  }
  expect(await denial(sessionId)).toBeUndefined()
  await api.givePolicies(owner, [JSON.stringify({ Version: '2012-10-17', Statement: denying })])
  expect(await denial(sessionId)).toContain('ssmmessages:OpenDataChannel')
})
