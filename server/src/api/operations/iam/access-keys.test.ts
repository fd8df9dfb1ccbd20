import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { element, iam } from '../../query-testing.ts'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

async function createKey(UserName: string) {
  const key = await iam(api, 'CreateAccessKey', { UserName })
  return {
    accessKeyId: element(key, 'AccessKeyId') ?? '',
    secretAccessKey: element(key, 'SecretAccessKey') ?? '',
  }
}

test('keys are rotated: two at a time, each good for as long as it is active', async () => {
  await api.iam('CreateUser', { UserName: 'rota' })
  await api.iam('AttachUserPolicy', {
    UserName: 'rota',
    PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess',
  })
  const old = await createKey('rota')
  expect(old.accessKeyId).toMatch(/^AKIA[A-Z2-7]{16}$/)
  expect(old.secretAccessKey).toMatch(/^[A-Za-z0-9+/]{40}$/)
  const fresh = await createKey('rota')
  expect(await api.iam('CreateAccessKey', { UserName: 'rota' })).toMatchObject({
    status: 409,
    code: 'LimitExceeded',
    message: 'Cannot exceed quota for AccessKeysPerUser: 2',
  })

  const works = async (key: typeof old) => (await api.iam('GetUser', {}, key)).status === 200
  const setStatus = (Status: string) =>
    api.iam('UpdateAccessKey', { UserName: 'rota', AccessKeyId: old.accessKeyId, Status })
  expect([await works(old), await works(fresh)]).toEqual([true, true])
  await setStatus('Inactive')
  expect([await works(old), await works(fresh)]).toEqual([false, true])
  const listed = String((await api.iam('ListAccessKeys', { UserName: 'rota' })).body.text)
  expect(listed).toContain(`<AccessKeyId>${old.accessKeyId}</AccessKeyId><Status>Inactive</Status>`)
  expect(listed).not.toContain(old.secretAccessKey)
  await setStatus('Active')
  expect(await works(old)).toBe(true)
  await api.iam('DeleteAccessKey', { UserName: 'rota', AccessKeyId: old.accessKeyId })
  expect([await works(old), await works(fresh)]).toEqual([false, true])
  expect((await setStatus('Active')).message).toBe(
    `The Access Key with id ${old.accessKeyId} cannot be found.`,
  )
  expect((await api.iam('UpdateAccessKey', { AccessKeyId: old.accessKeyId, Status: 'x' })).code).toBe(
    'ValidationError',
  )
})

test('of many keys that are asked for at once there are two', async () => {
  await api.iam('CreateUser', { UserName: 'greedy' })
  const answers = await Promise.all(
    Array.from({ length: 6 }, () => api.iam('CreateAccessKey', { UserName: 'greedy' })),
  )
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(2)
  expect(await api.store.accessKeys.listForUser(scope, 'greedy')).toHaveLength(2)
})

test("who names nobody works on his own keys, and on nobody else's under his own name", async () => {
  const alice = await api.user('alice')
  const bob = await api.user('bob-the-second')
  expect(element(await iam(api, 'CreateAccessKey', {}, alice), 'UserName')).toBe('alice')
  const listed = await api.iam('ListAccessKeys', {}, alice)
  expect([...String(listed.body.text).matchAll(/<AccessKeyId>/g)]).toHaveLength(2)
  const foreign = { AccessKeyId: bob.accessKeyId }
  expect((await api.iam('DeleteAccessKey', foreign, alice)).code).toBe('NoSuchEntity')
  expect((await api.iam('UpdateAccessKey', { ...foreign, Status: 'Inactive' }, alice)).code).toBe(
    'NoSuchEntity',
  )
  expect((await api.iam('GetUser', {}, bob)).status).toBe(200)
  expect((await api.iam('CreateAccessKey', { UserName: 'nobody' })).code).toBe('NoSuchEntity')
  expect((await api.iam('ListAccessKeys', { UserName: 'nobody' })).code).toBe('NoSuchEntity')
})

test('the last use of a key is told, and that there was none', async () => {
  await api.iam('CreateUser', { UserName: 'seldom' })
  const key = await createKey('seldom')
  const lastUsed = async () =>
    String((await api.iam('GetAccessKeyLastUsed', { AccessKeyId: key.accessKeyId })).body.text)
  expect(await lastUsed()).toContain(
    '<UserName>seldom</UserName><AccessKeyLastUsed><ServiceName>N/A</ServiceName><Region>N/A</Region></AccessKeyLastUsed>',
  )
  await api.iam('GetUser', {}, key)
  expect(await lastUsed()).toContain(
    '<LastUsedDate>2026-01-31T12:00:00Z</LastUsedDate><ServiceName>iam</ServiceName><Region>us-east-1</Region>',
  )
  const none = await api.iam('GetAccessKeyLastUsed', { AccessKeyId: 'AKIAIOSFODNN7EXAMPLE' })
  expect(none.code).toBe('NoSuchEntity')
})

test('a key goes on working for its user under another name', async () => {
  const carol = await api.user('carol')
  expect((await api.iam('UpdateUser', { UserName: 'carol', NewUserName: 'caroline' })).status).toBe(200)
  const after = await iam(api, 'GetUser', {}, carol)
  expect(element(after, 'Arn')).toBe('arn:aws:iam::123456789012:user/caroline')
})

test('secrets are in no log line and not in the store as they are', async () => {
  await api.iam('CreateUser', { UserName: 'quiet' })
  const { accessKeyId, secretAccessKey } = await createKey('quiet')
  expect(JSON.stringify(api.lines)).not.toContain(secretAccessKey)
  const row = await api.store.accessKeys.find(accessKeyId)
  expect(JSON.stringify(row)).not.toContain(secretAccessKey)
  expect(api.sealing.open(row?.sealedSecret ?? '', accessKeyId)).toBe(secretAccessKey)
})
