import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRole } from '../../node-testing.ts'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest
let online: string
let lost: string
let instance: string

beforeAll(async () => {
  api = await openApi()
  await createRole(api, 'Other')
  online = await api.onlineNode({ DefaultInstanceName: 'web', Tags: [{ Key: 'env', Value: 'prod' }] })
  const said = {
    AgentVersion: '3.3.0.0',
    PlatformType: 'Linux',
    PlatformName: 'Debian',
    ComputerName: 'h',
    IPAddress: '10.0.0.1',
  }
  await api.ok('UpdateInstanceInformation', { InstanceId: online, ...said }, api.asNode(online))
  lost = await api.node({
    IamRole: 'Other',
    Tags: [
      { Key: 'env', Value: 'test' },
      { Key: 'team', Value: 'a' },
    ],
  })
  instance = 'i-0123456789abcdef0'
  const row = {
    nodeId: instance,
    kind: 'instance',
    publicKey: 'k',
    fingerprint: 'f',
    registeredAt: api.now,
  } as const
  await api.store.nodes.insert(scope, row)
  const gone = await api.node()
  await api.ok('DeregisterManagedInstance', { InstanceId: gone })
})
afterAll(() => api.dispose())

const list = async (input: object) => {
  const { InstanceInformationList } = await api.ok('DescribeInstanceInformation', input)
  return InstanceInformationList as Array<Record<string, unknown>>
}
const ids = async (...filters: Array<[string, ...string[]]>) => {
  const found = await list({ Filters: filters.map(([Key, ...Values]) => ({ Key, Values })) })
  return found.map(({ InstanceId }) => InstanceId).sort()
}

test('every registered node is listed, page by page, with what it is', async () => {
  for (let i = 0; i < 9; i++)
    await api.store.nodes.insert(scope, {
      nodeId: `mi-f000000000000000${i}`,
      kind: 'managed-instance',
      publicKey: 'k',
      fingerprint: 'f',
      registeredAt: 1,
    })
  const first = await api.ok('DescribeInstanceInformation', { MaxResults: 5 })
  const second = await api.ok('DescribeInstanceInformation', { MaxResults: 5, NextToken: first.NextToken })
  const third = await api.ok('DescribeInstanceInformation', { MaxResults: 5, NextToken: second.NextToken })
  expect(third.NextToken).toBeUndefined()
  const all = [first, second, third].flatMap(
    page => page.InstanceInformationList as Array<Record<string, unknown>>,
  )
  expect(all).toHaveLength(12)
  expect(new Set(all.map(({ InstanceId }) => InstanceId)).size).toBe(12)
  for (let i = 0; i < 9; i++) await api.store.nodes.deregister(scope, `mi-f000000000000000${i}`, 1)
  const [node] = await list({ Filters: [{ Key: 'InstanceIds', Values: [online] }] })
  expect(node).toEqual({
    InstanceId: online,
    PingStatus: 'Online',
    LastPingDateTime: api.now / 1000,
    AgentVersion: '3.3.0.0',
    IsLatestVersion: true,
    PlatformType: 'Linux',
    PlatformName: 'Debian',
    ResourceType: 'ManagedInstance',
    IPAddress: '10.0.0.1',
    ComputerName: 'h',
    SourceId: online,
    SourceType: 'AWS::SSM::ManagedInstance',
    ActivationId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    IamRole: 'SSMServiceRole',
    RegistrationDate: api.now / 1000,
    Name: 'web',
  })
  const [other] = await list({ Filters: [{ Key: 'InstanceIds', Values: [instance] }] })
  expect(other).toEqual({
    InstanceId: instance,
    PingStatus: 'ConnectionLost',
    LastPingDateTime: api.now / 1000,
    ResourceType: 'EC2Instance',
    SourceId: instance,
    SourceType: 'AWS::EC2::Instance',
  })
})

test('an instance is called by its tag, and until it has one by the name of its activation', async () => {
  const nodeId = 'i-0123456789abcdef1'
  const keys = { publicKey: 'k', fingerprint: 'f', registeredAt: api.now }
  await api.store.nodes.insert(scope, { nodeId, kind: 'instance', name: 'from-activation', ...keys })
  const nameOf = async () => (await list({ Filters: [{ Key: 'InstanceIds', Values: [nodeId] }] }))[0]?.Name
  expect(await nameOf()).toBe('from-activation')
  await api.store.tags.add(scope, 'Instance', nodeId, [{ Key: 'Name', Value: 'tagged' }])
  expect(await nameOf()).toBe('tagged')
  await api.store.nodes.deregister(scope, nodeId, 1)
})

describe('filters', () => {
  test('find what they say, alternatives within one, and all of several', async () => {
    expect(await ids(['InstanceIds', online, lost])).toEqual([online, lost].sort())
    expect(await ids(['InstanceIds', online, lost], ['SourceIds', lost])).toEqual([lost])
    expect(await ids(['InstanceIds', online], ['InstanceIds', lost])).toEqual([])
    expect(await ids(['InstanceIds', 'mi-00000000000000000'])).toEqual([])
    expect(await ids(['PingStatus', 'Online'])).toEqual([online])
    expect(await ids(['PingStatus', 'ConnectionLost'])).toEqual([instance, lost].sort())
    expect(await ids(['PingStatus', 'ConnectionLost', 'Online'])).toHaveLength(3)
    expect(await ids(['PingStatus', 'Inactive'])).toEqual([])
    expect(await ids(['PingStatus', 'Online'], ['PingStatus', 'ConnectionLost'])).toEqual([])
    expect(await ids(['AgentVersion', '3.3.0.0', 'x'])).toEqual([online])
    expect(await ids(['PlatformTypes', 'Linux'])).toEqual([online])
    expect(await ids(['IamRole', 'Other'])).toEqual([lost])
    expect(await ids(['ResourceType', 'EC2Instance'])).toEqual([instance])
    expect(await ids(['ResourceType', 'Toaster'])).toEqual([])
    expect(await ids(['ResourceType', 'EC2Instance', 'ManagedInstance'])).toHaveLength(3)
    expect(await ids(['ResourceType', 'EC2Instance'], ['SourceTypes', 'AWS::SSM::ManagedInstance'])).toEqual(
      [],
    )
    expect(await ids(['SourceTypes', 'AWS::SSM::ManagedInstance'])).toHaveLength(2)
    expect(await ids(['AssociationStatus', 'Success'])).toEqual([])
  })

  test('know tags, by value and by key', async () => {
    expect(await ids(['tag:env', 'prod'])).toEqual([online])
    expect(await ids(['tag:env', 'prod', 'test'])).toEqual([online, lost].sort())
    expect(await ids(['tag:env', 'prod'], ['tag:team', 'a'])).toEqual([])
    expect(await ids(['tag-key', 'team'])).toEqual([lost])
  })

  test('can be given in the older form, which has fewer', async () => {
    const valueSet = [online]
    const found = await list({ InstanceInformationFilterList: [{ key: 'InstanceIds', valueSet }] })
    expect(found).toHaveLength(1)
    const tagged = { InstanceInformationFilterList: [{ key: 'tag:env', valueSet: ['prod'] }] }
    expect(await api.code('DescribeInstanceInformation', tagged)).toBe('ValidationException')
  })

  test('that cannot be are refused', async () => {
    const Filters = [{ Key: 'InstanceIds', Values: [online] }]
    const cases: Array<[object, string]> = [
      [{ Filters: [{ Key: 'Colour', Values: ['red'] }] }, 'InvalidFilterKey'],
      [{ Filters: [{ Key: 'constructor', Values: ['red'] }] }, 'InvalidFilterKey'],
      [{ Filters: [{ Key: 'InstanceIds', Values: ["' or 1=1"] }] }, 'InvalidInstanceId'],
      [
        { Filters, InstanceInformationFilterList: [{ key: 'InstanceIds', valueSet: [online] }] },
        'ValidationException',
      ],
      [{ Filters: [{ Key: 'InstanceIds', Values: [] }] }, 'ValidationException'],
      [{ MaxResults: 4 }, 'ValidationException'],
      [{ MaxResults: 51 }, 'ValidationException'],
      [{ NextToken: 'x' }, 'InvalidNextToken'],
    ]
    for (const [input, code] of cases) {
      expect(await api.code('DescribeInstanceInformation', input), JSON.stringify(input)).toBe(code)
    }
  })
})
