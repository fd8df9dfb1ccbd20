import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest
let users = 0

beforeAll(async () => {
  api = await openApi()
  for (const Name of ['/app/url', '/app/db/password', '/apple', 'flat']) {
    await api.ok('PutParameter', { Name, Value: 'v', Type: 'String' })
  }
})
afterAll(() => api.dispose())

const arn = (resource: string) => `arn:aws:ssm:us-east-1:123456789012:parameter/${resource}`
type Statement = { Effect?: string; Action: string; Resource: string | string[]; Condition?: object }
const who = (...statements: Statement[]): Promise<Credentials> => {
  const Statement = statements.map(statement => ({ Effect: 'Allow', ...statement }))
  return api.user(`user-${++users}`, { policies: [JSON.stringify({ Version: '2012-10-17', Statement })] })
}
const code = async (operation: string, input: object, as: Credentials) => await api.code(operation, input, as)
const DENIED = 'AccessDeniedException'

test('one name after the other is decided, and one that is not allowed is too many', async () => {
  const reader = await who({ Action: 'ssm:GetParameter*', Resource: [arn('app/*'), arn('flat')] })
  for (const Name of ['/app/url', '/app/db/password:1', 'flat', arn('app/url'), arn('flat:1')]) {
    expect([Name, await code('GetParameter', { Name }, reader)]).toEqual([Name, ''])
  }
  const { message, code: refused } = await api.call('GetParameter', { Name: '/apple:1' }, reader)
  expect(refused).toBe(DENIED)
  expect(message).toContain(
    `is not authorized to perform: ssm:GetParameter on resource: ${arn('apple')} because`,
  )
  expect(await code('GetParameters', { Names: ['/app/url', 'flat'] }, reader)).toBe('')
  expect(await code('GetParameters', { Names: ['/app/url', '/apple'] }, reader)).toBe(DENIED)
  // What there is not is told to nobody who may not read it.
  expect(await code('GetParameter', { Name: '/none' }, reader)).toBe(DENIED)
  expect(await code('GetParameter', { Name: '/app/none' }, reader)).toBe('ParameterNotFound')
  for (const [operation, input] of [
    ['PutParameter', { Name: '/app/url', Value: 'x', Overwrite: true }],
    ['DeleteParameter', { Name: '/app/url' }],
    ['DeleteParameters', { Names: ['/app/url'] }],
    ['LabelParameterVersion', { Name: '/app/url', Labels: ['x'] }],
    ['UnlabelParameterVersion', { Name: '/app/url', ParameterVersion: 1, Labels: ['x'] }],
    ['DescribeParameters', {}],
    ['ListTagsForResource', { ResourceType: 'Parameter', ResourceId: '/app/url' }],
  ] as const) {
    expect([operation, await code(operation, input, reader)]).toEqual([operation, DENIED])
  }
})

test('a denied one is denied however it is written', async () => {
  const all = { Action: 'ssm:*', Resource: '*' }
  const reader = await who(all, { Effect: 'Deny', Action: 'ssm:*', Resource: arn('app/db/password') })
  const written = ['/app/db/password', '/app/db/password:1', '/app/db/password:live', '/app/db/password:']
  const arns = [arn('app/db/password'), arn('app/db/password:1')]
  const others = arns.map(each => each.replace('arn:aws:', 'arn:aws-cn:'))
  for (const Name of [...written, ...arns, ...others]) {
    for (const operation of ['GetParameter', 'GetParameterHistory']) {
      expect([Name, await code(operation, { Name }, reader)]).toEqual([Name, DENIED])
    }
    expect(await code('GetParameters', { Names: ['flat', Name] }, reader)).toBe(DENIED)
  }
  for (const Name of ['/app/db/password', ' /app/db/password ']) {
    const put = { Name, Value: 'x', Overwrite: true }
    expect(await code('PutParameter', put, reader)).toBe(DENIED)
  }
  // Written so it is another name, which there is not.
  for (const Name of ['app/db/password', '//app/db/password', '/app/db/password ']) {
    expect(await code('GetParameter', { Name }, reader)).toMatch(
      /^(ParameterNotFound|AccessDeniedException)$/,
    )
  }
})

test('who may read a path may read what is below it, unless that is denied', async () => {
  const byPath = (Path: string, as: Credentials, more: object = {}) =>
    code('GetParametersByPath', { Path, ...more }, as)
  const below = await who({ Action: 'ssm:GetParametersByPath', Resource: arn('app/*') })
  const exact = await who({ Action: 'ssm:GetParametersByPath', Resource: arn('app') })
  for (const path of ['/app', '/app/']) {
    expect(await byPath(path, below, { Recursive: true })).toBe('')
    expect(await byPath(path, exact, { Recursive: true })).toBe('')
  }
  expect(await byPath('/app/db', below)).toBe('')
  expect(await byPath('/app/db', exact)).toBe(DENIED)
  for (const path of ['/', '/apple', '/ap', 'app*', '//']) expect(await byPath(path, below)).toBe(DENIED)
  const all = { Action: 'ssm:*', Resource: '*' }
  for (const denied of [arn('app'), arn('app/*')]) {
    const some = await who(all, { Effect: 'Deny', Action: 'ssm:GetParametersByPath', Resource: denied })
    for (const path of ['/app', '/app/']) expect(await byPath(path, some)).toBe(DENIED)
    expect(await byPath('/', some)).toBe('')
  }
  const Condition = { StringEquals: { 'ssm:Recursive': 'true' } }
  const flat = await who(all, { Effect: 'Deny', Action: 'ssm:GetParametersByPath', Resource: '*', Condition })
  expect(await byPath('/app', flat)).toBe('')
  expect(await byPath('/app', flat, { Recursive: true })).toBe(DENIED)
})

test('overwriting can be denied, and making with tags takes the right to tag', async () => {
  const Condition = { StringNotEquals: { 'ssm:Overwrite': 'true' } }
  const maker = await who({ Action: 'ssm:PutParameter', Resource: '*', Condition })
  const put = (input: object, as: Credentials) =>
    code('PutParameter', { Name: '/made', Value: 'v', Type: 'String', ...input }, as)
  expect(await put({}, maker)).toBe('')
  expect(await put({ Overwrite: true }, maker)).toBe(DENIED)
  expect(await put({ Overwrite: false }, maker)).toBe('ParameterAlreadyExists')
  const Tags = [{ Key: 'env', Value: 'prod' }]
  expect(await put({ Name: '/made/b', Tags }, maker)).toBe(DENIED)
  const tagged = { StringEquals: { 'aws:RequestTag/env': 'prod' } }
  const tagger = await who(
    { Action: 'ssm:PutParameter', Resource: '*', Condition: tagged },
    {
      Action: 'ssm:AddTagsToResource',
      Resource: arn('made/*'),
    },
  )
  expect(await put({ Name: '/made/b', Tags }, tagger)).toBe('')
  expect(await put({ Name: '/made/c' }, tagger)).toBe(DENIED)
  expect(await put({ Name: '/other', Tags }, tagger)).toBe(DENIED)
})

test('tags decide at once, and a new parameter has none of those before it', async () => {
  const Condition = { StringEquals: { 'aws:ResourceTag/team': 'a' } }
  const reader = await who({ Action: 'ssm:GetParameter', Resource: '*', Condition })
  const make = (Tags: object[]) =>
    api.ok('PutParameter', { Name: '/team/x', Value: 'v', Type: 'String', Tags })
  const get = () => code('GetParameter', { Name: '/team/x' }, reader)
  expect(await get()).toBe(DENIED)
  await make([{ Key: 'team', Value: 'a' }])
  expect(await get()).toBe('')
  await api.ok('DeleteParameter', { Name: '/team/x' })
  await make([])
  expect(await get()).toBe(DENIED)
  const resource = { ResourceType: 'Parameter', ResourceId: '/team/x' }
  await api.ok('AddTagsToResource', { ...resource, Tags: [{ Key: 'team', Value: 'a' }] })
  expect(await get()).toBe('')
  await api.ok('RemoveTagsFromResource', { ...resource, TagKeys: ['team'] })
  expect(await get()).toBe(DENIED)
})

test('a node reads what its role allows, by name, and changes nothing', async () => {
  const node = api.asNode(await api.node())
  expect(await code('GetParameters', { Names: ['/app/url', '/none'] }, node)).toBe('')
  expect(await code('GetParameter', { Name: '/app/url' }, node)).toBe('')
  // AmazonSSMManagedInstanceCore does not have it.
  expect(await code('GetParametersByPath', { Path: '/app' }, node)).toBe(DENIED)
  const policy = { Effect: 'Allow', Action: 'ssm:*', Resource: '*' }
  const document = JSON.stringify({ Version: '2012-10-17', Statement: policy })
  await api.givePolicies({ ownerType: 'role', ownerName: 'SSMServiceRole' }, [document])
  expect(await code('GetParametersByPath', { Path: '/app' }, node)).toBe('')
  for (const [operation, input] of [
    ['PutParameter', { Name: '/n', Value: 'v', Type: 'String' }],
    ['DeleteParameter', { Name: '/app/url' }],
    ['DescribeParameters', {}],
    ['GetParameterHistory', { Name: '/app/url' }],
  ] as const) {
    expect([operation, await code(operation, input, node)]).toEqual([operation, DENIED])
  }
})
