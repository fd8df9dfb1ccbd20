import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { numberedTags } from '../../query-testing.ts'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest

beforeAll(async () => {
  api = await openApi()
  await api.user('alice')
  await api.user('carol')
})
afterAll(() => api.dispose())

const tag = (UserName: string, tags: Record<string, string>) =>
  api.iam('TagUser', { UserName, ...numberedTags('Tags.member', tags) })
const list = async (UserName: string, more: Record<string, string> = {}) => {
  const text = String((await api.iam('ListUserTags', { UserName, ...more })).body.text)
  const tags = [...text.matchAll(/<member><Key>(.*?)<\/Key><Value>(.*?)<\/Value><\/member>/g)]
  return { text, tags: Object.fromEntries(tags.map(([, key, value]) => [key, value])) }
}

test('users are tagged and untagged, in the words of IAM', async () => {
  const answer = await tag('alice', { SSMSessionRunAs: 'deploy', team: '' })
  expect(answer.status).toBe(200)
  expect(answer.body.text).toMatch(
    /^<TagUserResponse xmlns="https:\/\/iam\.amazonaws\.com\/doc\/2010-05-08\/"><ResponseMetadata><RequestId>/,
  )
  expect((await tag('alice', { team: 'web' })).status).toBe(200)
  const { text, tags } = await list('alice')
  expect(tags).toEqual({ SSMSessionRunAs: 'deploy', team: 'web' })
  expect(text).toContain('<IsTruncated>false</IsTruncated>')
  expect((await list('admin')).tags).toEqual({})
  await api.iam('UntagUser', {
    UserName: 'alice',
    'TagKeys.member.1': 'TEAM',
    'TagKeys.member.2': 'nope',
  })
  expect((await list('alice')).tags).toEqual({ SSMSessionRunAs: 'deploy' })
})

test('keys that differ in case alone are one key', async () => {
  await tag('carol', { Department: 'a' })
  await tag('carol', { department: 'b' })
  expect((await list('carol')).tags).toEqual({ department: 'b' })
  expect(await tag('carol', { x: '1', X: '2' })).toMatchObject({ status: 400, code: 'InvalidInput' })
})

test('a tag whose new spelling cannot be stored keeps the old one', async () => {
  const { db } = api.store
  await tag('carol', { department: 'b' })
  await sql`create trigger full before insert on tags begin select raise(abort, 'full'); end`.execute(db)
  expect((await tag('carol', { DEPARTMENT: 'c' })).status).toBe(500)
  await sql`drop trigger full`.execute(db)
  expect((await list('carol')).tags).toEqual({ department: 'b' })
})

test('pages go by a marker', async () => {
  const admin = { a: '1', b: '2', c: '3' }
  await tag('admin', admin)
  const first = await list('admin', { MaxItems: '2' })
  expect(first.tags).toEqual({ a: '1', b: '2' })
  expect(first.text).toContain('<IsTruncated>true</IsTruncated><Marker>b</Marker>')
  expect((await list('admin', { Marker: 'b' })).tags).toEqual({ c: '3' })
})

test('what cannot be is refused as IAM does, and changes nothing', async () => {
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, 'v']))
  expect((await tag('alice', many)).code).toBe('LimitExceeded')
  expect(await tag('nobody', { k: 'v' })).toMatchObject({ status: 404, code: 'NoSuchEntity' })
  expect(await api.iam('ListUserTags', { UserName: 'nobody' })).toMatchObject({ code: 'NoSuchEntity' })
  expect((await tag('alice', { 'aws:k': 'v' })).code).toBe('InvalidInput')
  expect((await tag('alice', { k: '<b>' })).code).toBe('ValidationError')
  expect((await tag('../alice', { k: 'v' })).code).toBe('ValidationError')
  expect((await api.iam('TagUser', { UserName: 'alice' })).code).toBe('ValidationError')
  expect(await api.iam('DeleteAccount', {})).toMatchObject({ status: 400, code: 'InvalidAction' })
  expect((await list('alice')).tags).toEqual({ SSMSessionRunAs: 'deploy' })
})

test('tags that are set at once stay within fifty', async () => {
  await api.user('mallory')
  const half = (prefix: string) =>
    Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`${prefix}${i}`, 'v']))
  const answers = await Promise.all(['a', 'b', 'c'].map(prefix => tag('mallory', half(prefix))))
  expect(answers.map(({ code }) => code ?? 'ok').sort()).toEqual(['LimitExceeded', 'LimitExceeded', 'ok'])
  expect(Object.keys((await list('mallory')).tags)).toHaveLength(30)
})

test('keys that objects have already are tags like any other', async () => {
  await api.user('proto')
  const keys = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
  for (const key of keys) expect((await tag('proto', { [key]: 'v' })).status).toBe(200)
  const { text } = await list('proto')
  for (const key of keys) expect(text).toContain(`<member><Key>${key}</Key><Value>v</Value></member>`)
})

test('nodes tag nobody', async () => {
  const node = await api.node()
  const answer = await api.iam(
    'TagUser',
    { UserName: 'alice', ...numberedTags('Tags.member', { SSMSessionRunAs: 'root' }) },
    api.asNode(node),
  )
  expect(answer).toMatchObject({ status: 403, code: 'AccessDenied' })
  expect(answer.message).toContain('iam:TagUser on resource: *')
  // AddTagsToResource reaches what is tagged with Systems Manager's words only.
  const Tags = [{ Key: 'SSMSessionRunAs', Value: 'x' }]
  expect(await api.code('AddTagsToResource', { ResourceType: 'User', ResourceId: 'alice', Tags })).not.toBe(
    '',
  )
})
