import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest
let node: string

beforeAll(async () => {
  api = await openApi()
  node = await api.node()
})
afterAll(() => api.dispose())

const resource = () => ({ ResourceType: 'ManagedInstance', ResourceId: node })
const tags = async (of: object = resource()) => (await api.ok('ListTagsForResource', of)).TagList

test('tags are added, replaced and removed', async () => {
  const Tags = [
    { Key: 'env', Value: 'test' },
    { Key: 'team', Value: '' },
    { Key: 'env', Value: 'prod' },
  ]
  await api.ok('AddTagsToResource', { ...resource(), Tags })
  expect(await tags()).toEqual([
    { Key: 'env', Value: 'prod' },
    { Key: 'team', Value: '' },
  ])
  await api.ok('RemoveTagsFromResource', { ...resource(), TagKeys: ['team', 'nope'] })
  expect(await tags()).toEqual([{ Key: 'env', Value: 'prod' }])
})

test('documents have tags too', async () => {
  const Content = JSON.stringify({ schemaVersion: '1.0', sessionType: 'Standard_Stream' })
  await api.ok('CreateDocument', { Name: 'mine', DocumentType: 'Session', Content })
  const mine = { ResourceType: 'Document', ResourceId: 'mine' }
  await api.ok('AddTagsToResource', { ...mine, Tags: [{ Key: 'k', Value: 'v' }] })
  expect(await tags(mine)).toEqual([{ Key: 'k', Value: 'v' }])
})

test('fifty tags are enough', async () => {
  const some = (count: number, from = 0) =>
    Array.from({ length: count }, (_, i) => ({ Key: `k${from + i}`, Value: '' }))
  const other = await api.node()
  const to = { ResourceType: 'ManagedInstance', ResourceId: other }
  expect(await api.code('AddTagsToResource', { ...to, Tags: some(51) })).toBe('TooManyTagsError')
  expect(await tags(to)).toEqual([])
  await api.ok('AddTagsToResource', { ...to, Tags: some(50) })
  await api.ok('AddTagsToResource', { ...to, Tags: some(50) })
  expect(await api.code('AddTagsToResource', { ...to, Tags: some(1, 50) })).toBe('TooManyTagsError')
})

test('there are no tags on what does not exist, or cannot have any', async () => {
  const gone = await api.node()
  await api.ok('DeregisterManagedInstance', { InstanceId: gone })
  const cases: Array<[string, string, string]> = [
    ['ManagedInstance', 'mi-00000000000000000', 'InvalidResourceId'],
    ['ManagedInstance', gone, 'InvalidResourceId'],
    ['Document', 'nope', 'InvalidResourceId'],
    ['Document', 'AWS-StartSSHSession', 'InvalidResourceId'],
    ['Parameter', '/x', 'InvalidResourceId'],
    ['Toaster', 'x', 'ValidationException'],
  ]
  for (const [ResourceType, ResourceId, code] of cases) {
    const of = { ResourceType, ResourceId }
    expect(await api.code('ListTagsForResource', of)).toBe(code)
    expect(await api.code('AddTagsToResource', { ...of, Tags: [{ Key: 'k', Value: 'v' }] })).toBe(code)
    expect(await api.code('RemoveTagsFromResource', { ...of, TagKeys: ['k'] })).toBe(code)
  }
})

test('keys of AWS are its own', async () => {
  for (const Key of ['aws:x', 'AWS:x']) {
    expect(await api.code('AddTagsToResource', { ...resource(), Tags: [{ Key, Value: '' }] })).toBe(
      'ValidationException',
    )
  }
})

test('a key that is there in another case is refused: a condition could mean either', async () => {
  const other = { ResourceType: 'ManagedInstance', ResourceId: await api.node() }
  await api.ok('AddTagsToResource', { ...other, Tags: [{ Key: 'env', Value: 'prod' }] })
  const answer = await api.call('AddTagsToResource', { ...other, Tags: [{ Key: 'ENV', Value: 'dev' }] })
  expect(answer).toMatchObject({
    code: 'ValidationException',
    message:
      'The tags env and ENV would differ in upper and lower case only, which policies cannot tell apart. Remove one of them first.',
  })
  expect(await tags(other)).toEqual([{ Key: 'env', Value: 'prod' }])
})
