import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { accessSubject } from '@sallyport/server/bus/bus'
import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest
let dev: string
let prod: string
let users = 0

const content = JSON.stringify({ schemaVersion: '1.0', sessionType: 'Standard_Stream' })
const tag = (Key: string, Value: string) => ({ Key, Value })
const allow = (Action: string | string[], Resource: string | string[] = '*', Condition: object = {}) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource, Condition }] })
const user = (...policies: string[]): Promise<Credentials> => api.user(`user-${++users}`, { policies })

beforeAll(async () => {
  api = await openApi()
  dev = await api.node({ Tags: [tag('env', 'dev')] })
  prod = await api.node({ Tags: [tag('env', 'prod')] })
  await api.ok('CreateDocument', {
    Name: 'Mine',
    DocumentType: 'Session',
    Content: content,
    Tags: [tag('team', 'a')],
  })
})
afterAll(() => api.dispose())

const managed = (ResourceId: string) => ({ ResourceType: 'ManagedInstance', ResourceId })

describe('a condition on the tags of nodes', () => {
  test.each(['aws:ResourceTag/env', 'ssm:resourceTag/env', 'SSM:ResourceTag/ENV'])(
    'finds them under %s',
    async key => {
      const bob = await user(allow('ssm:GetConnectionStatus', '*', { StringEquals: { [key]: 'dev' } }))
      expect(await api.code('GetConnectionStatus', { Target: dev }, bob)).toBe('')
      expect(await api.code('GetConnectionStatus', { Target: prod }, bob)).toBe('AccessDeniedException')
    },
  )

  test('tells a node without that tag from no node at all by nothing', async () => {
    const bob = await user(
      allow('ssm:GetConnectionStatus', '*', { StringEquals: { 'aws:ResourceTag/secret': 'no' } }),
    )
    const none = 'mi-00000000000000000'
    const [there, nowhere] = [prod, none].map(Target => api.call('GetConnectionStatus', { Target }, bob))
    const message = (await there)?.message.replaceAll(prod, none)
    expect((await nowhere)?.message).toBe(message)
    expect(message).toContain('(aws:ResourceTag/secret is not set or differs)')
  })

  test('sees a tag that changes with the next request', async () => {
    const bob = await user(
      allow('ssm:GetConnectionStatus', '*', { StringEquals: { 'ssm:resourceTag/owner': 'bob' } }),
    )
    expect(await api.code('GetConnectionStatus', { Target: dev }, bob)).toBe('AccessDeniedException')
    await api.ok('AddTagsToResource', { ...managed(dev), Tags: [tag('owner', 'bob')] })
    expect(await api.code('GetConnectionStatus', { Target: dev }, bob)).toBe('')
    await api.ok('RemoveTagsFromResource', { ...managed(dev), TagKeys: ['owner'] })
    expect(await api.code('GetConnectionStatus', { Target: dev }, bob)).toBe('AccessDeniedException')
  })
})

describe('documents', () => {
  test('are known to policies by one ARN, however they are asked for; those of Amazon have no account', async () => {
    const bob = await user(
      allow('ssm:GetDocument', [
        'arn:aws:ssm:us-east-1:123456789012:document/Mine',
        'arn:aws:ssm:us-east-1::document/AWS-StartSSHSession',
      ]),
    )
    const names = [
      'Mine',
      'arn:aws:ssm:us-east-1:123456789012:document/Mine',
      'AWS-StartSSHSession',
      'arn:aws:ssm:us-east-1::document/AWS-StartSSHSession',
      'arn:aws:ssm:us-east-1:123456789012:document/AWS-StartSSHSession',
    ]
    for (const Name of names) expect(await api.code('GetDocument', { Name }, bob)).toBe('')
    for (const Name of ['AWS-StartPortForwardingSession', 'Nope']) {
      expect(await api.code('GetDocument', { Name }, bob)).toBe('AccessDeniedException')
    }
  })

  test('of another account are refused under their own name', async () => {
    const Name = 'arn:aws:ssm:us-east-1:999999999999:document/Mine'
    const bob = await user(allow('ssm:GetDocument', 'arn:aws:ssm:us-east-1:123456789012:document/*'))
    const { code, message } = await api.call('GetDocument', { Name }, bob)
    expect(code).toBe('AccessDeniedException')
    expect(message).toContain(`on resource: ${Name} because`)
  })

  test('have tags and a type', async () => {
    const condition = { StringEquals: { 'aws:ResourceTag/team': 'a', 'ssm:DocumentType': 'Session' } }
    const bob = await user(allow('ssm:DescribeDocument', '*', condition))
    expect(await api.code('DescribeDocument', { Name: 'Mine' }, bob)).toBe('')
    expect(await api.code('DescribeDocument', { Name: 'AWS-StartSSHSession' }, bob)).toBe(
      'AccessDeniedException',
    )
    const typed = await user(
      allow('ssm:DescribeDocument', '*', { StringEquals: { 'ssm:DocumentType': 'Session' } }),
    )
    expect(await api.code('DescribeDocument', { Name: 'AWS-StartSSHSession' }, typed)).toBe('')
  })

  test('are made with the tags that a policy wants, and no others', async () => {
    const bob = await user(
      allow(['ssm:CreateDocument', 'ssm:AddTagsToResource'], '*', {
        StringEquals: { 'aws:RequestTag/team': 'a', 'ssm:DocumentType': 'Session' },
        'ForAllValues:StringEquals': { 'aws:TagKeys': ['team', 'site'] },
      }),
    )
    const create = (Name: string, Tags?: object[]) =>
      api.code('CreateDocument', { Name, DocumentType: 'Session', Content: content, Tags }, bob)
    expect(await create('Bobs1')).toBe('AccessDeniedException')
    expect(await create('Bobs1', [tag('team', 'b')])).toBe('AccessDeniedException')
    expect(await create('Bobs1', [tag('team', 'a'), tag('cost', '1')])).toBe('AccessDeniedException')
    expect(await create('Bobs1', [tag('team', 'a'), tag('site', 'x')])).toBe('')
  })
})

test('tags are set by whom a policy lets, on what it says, with the keys that it names', async () => {
  const bob = await user(
    allow(['ssm:AddTagsToResource', 'ssm:RemoveTagsFromResource'], 'arn:aws:ssm:*:*:managed-instance/*', {
      StringEquals: { 'aws:ResourceTag/env': 'dev' },
      'ForAllValues:StringEquals': { 'aws:TagKeys': ['note'] },
    }),
  )
  const add = (id: string, key: string) =>
    api.code('AddTagsToResource', { ...managed(id), Tags: [tag(key, 'x')] }, bob)
  const remove = (key: string) => api.code('RemoveTagsFromResource', { ...managed(dev), TagKeys: [key] }, bob)
  expect(await add(dev, 'note')).toBe('')
  expect(await add(dev, 'env')).toBe('AccessDeniedException')
  expect(await add(prod, 'note')).toBe('AccessDeniedException')
  expect(await remove('env')).toBe('AccessDeniedException')
  expect(await remove('note')).toBe('')
  const document = { ResourceType: 'Document', ResourceId: 'Mine' }
  expect(await api.code('AddTagsToResource', { ...document, Tags: [tag('note', 'x')] }, bob)).toBe(
    'AccessDeniedException',
  )
})

test('a request from another place, or by another program, is another request', async () => {
  const bob = await user(allow('ssm:ListDocuments', '*', { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }))
  expect(await api.code('ListDocuments', {}, bob)).toBe('AccessDeniedException')
  api.remoteAddress = '::ffff:10.1.2.3'
  expect(await api.code('ListDocuments', {}, bob)).toBe('')
  api.remoteAddress = '192.0.2.1'
})

describe('whoever changes what decides', () => {
  const told = () => api.published.filter(([subject]) => subject === accessSubject(scope))

  test('has everybody decided again, also if it fails on the way', async () => {
    api.published.length = 0
    await api.ok('AddTagsToResource', { ...managed(dev), Tags: [tag('note', 'x')] })
    expect(told()).toEqual([[accessSubject(scope), { type: 'changed' }]])
    expect(
      await api.code('AddTagsToResource', { ...managed('mi-00000000000000000'), Tags: [tag('a', 'x')] }),
    ).toBe('InvalidResourceId')
    expect(told()).toHaveLength(2)
  })

  test('but is denied it, has changed nothing, nor has whoever only looks', async () => {
    const bob = await user()
    api.published.length = 0
    await api.code('AddTagsToResource', { ...managed(dev), Tags: [tag('note', 'x')] }, bob)
    await api.ok('ListTagsForResource', managed(dev))
    expect(told()).toEqual([])
  })
})

describe('a node', () => {
  test('reads the documents that its role lets it read', async () => {
    const credentials = api.asNode(dev)
    expect(await api.code('GetDocument', { Name: 'Mine' }, credentials)).toBe('')
    const { message } = await api.call('DescribeDocument', { Name: 'Mine' }, credentials)
    expect(message).toBe('')
  })

  test('with the best of roles reaches its own id only (security-cases.md 44)', async () => {
    const owner = { ownerType: 'role', ownerName: 'SSMServiceRole' } as const
    await api.givePolicies(owner, ['arn:aws:iam::aws:policy/AdministratorAccess'])
    const credentials = api.asNode(dev)
    expect(await api.code('UpdateInstanceInformation', { InstanceId: dev }, credentials)).toBe('')
    const { code, message } = await api.call('UpdateInstanceInformation', { InstanceId: prod }, credentials)
    expect(code).toBe('AccessDeniedException')
    expect(message).toBe(
      `User: arn:aws:sts::123456789012:assumed-role/SSMServiceRole/${dev} is not authorized to perform: ssm:UpdateInstanceInformation on resource: arn:aws:ssm:us-east-1:123456789012:managed-instance/${prod} because a node may act for itself only`,
    )
    expect(await api.code('DescribeSessions', { State: 'Active' }, credentials)).toBe('AccessDeniedException')
  })
})

test('who asks too often is told to wait, in words that clients retry on', async () => {
  const bob = await user()
  const answers = await Promise.all(
    Array.from({ length: 250 }, () => api.call('StartSession', { Target: dev }, bob)),
  )
  expect(answers.filter(({ code }) => code === 'ThrottlingException')).toHaveLength(50)
  const slow = answers.find(({ code }) => code === 'ThrottlingException')
  expect(slow).toMatchObject({
    status: 400,
    message: expect.stringMatching(/^Rate exceeded: .* Try again in \d+ ms\.$/),
  })
  const other = await user()
  expect(await api.code('StartSession', { Target: dev }, other)).toBe('AccessDeniedException')
})
