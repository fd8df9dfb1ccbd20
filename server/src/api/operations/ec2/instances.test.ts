import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createInstance, createProfile, policy } from '../../node-testing.ts'
import { ec2, elements, numberedTags } from '../../query-testing.ts'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest
let other: string
let node: string

beforeAll(async () => {
  api = await openApi()
  await createProfile(api, 'First')
  await createProfile(api, 'Second')
  other = await createInstance(api)
})
afterAll(() => api.dispose())
beforeEach(async () => {
  node = await createInstance(api)
})

const call = async (action: string, input: Record<string, string> = {}) => {
  const { status, text } = await ec2(api, action, input)
  if (status !== 200) throw new Error(text)
  return text
}
const code = async (action: string, input: Record<string, string> = {}, credentials = api.administrator) =>
  (await ec2(api, action, input, credentials)).code
/** `name=value,value`, as the aws CLI numbers them. */
const filters = (...given: string[]) =>
  Object.fromEntries(
    given.flatMap((filter, at) => {
      const [name = '', values = ''] = filter.split('=')
      const numbered = values.split(',').map((value, n) => [`Filter.${at + 1}.Value.${n + 1}`, value])
      return [[`Filter.${at + 1}.Name`, name], ...numbered]
    }),
  )
const found = async (...given: string[]) =>
  elements(await call('DescribeInstances', filters(...given)), 'instanceId')
const state = async (id: string) =>
  elements(await call('DescribeInstances', { 'InstanceId.1': id }), 'name').at(0)
const tag = (id: string, tags: Record<string, string>) =>
  call('CreateTags', { 'ResourceId.1': id, ...numberedTags('Tag', tags) })

describe('DescribeInstances', () => {
  test('writes what EC2 writes, and no more than is known', async () => {
    await tag(node, { Name: 'a <b> & c' })
    expect(await call('DescribeInstances', { 'InstanceId.1': node })).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
        '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">' +
        `<requestId>${api.lines.at(-1)?.requestId}</requestId><reservationSet><item>` +
        `<reservationId>r-${node.slice(2)}</reservationId><ownerId>123456789012</ownerId><groupSet></groupSet>` +
        `<instancesSet><item><instanceId>${node}</instanceId>` +
        '<instanceState><code>16</code><name>running</name></instanceState>' +
        '<privateDnsName></privateDnsName><dnsName></dnsName><reason></reason>' +
        '<instanceType>self-managed</instanceType><launchTime>2026-01-31T12:00:00Z</launchTime>' +
        '<monitoring><state>disabled</state></monitoring>' +
        '<tagSet><item><key>Name</key><value>a &lt;b&gt; &amp; c</value></item></tagSet>' +
        '</item></instancesSet></item></reservationSet></DescribeInstancesResponse>',
    )
  })

  test('a machine runs while it is heard of', async () => {
    expect(await state(node)).toBe('running')
    await api.store.nodes.setConnected(scope, node, { epoch: 1, server: 's', now: api.now })
    expect(await state(node)).toBe('running')
    await api.store.nodes.setDisconnected(scope, node, { epoch: 1, now: api.now })
    api.now += 2 * 60_000
    expect(await state(node)).toBe('running')
    api.now += 2 * 60_000
    expect(await state(node)).toBe('stopped')
    const refused = await api.store.nodes.get(scope, node)
    if (refused !== undefined) await api.store.nodes.seen(scope, refused, api.now)
    expect(await state(node)).toBe('running')
    await call('TerminateInstances', { 'InstanceId.1': node })
    expect(await state(node)).toBe('terminated')
    api.now += 3600_000
    expect(await code('DescribeInstances', { 'InstanceId.1': node })).toBe('InvalidInstanceID.NotFound')
    expect(await found(`instance-id=${node}`)).toEqual([])
  })

  test('finds by everything that is known of a machine', async () => {
    const dns = `${node.slice(-6)}.internal`
    const said = { ComputerName: dns, IPAddress: '10.1.2.3', PlatformType: 'Windows' }
    await call('AssociateIamInstanceProfile', { InstanceId: node, 'IamInstanceProfile.Name': 'First' })
    await api.ok('UpdateInstanceInformation', { InstanceId: node, ...said }, api.asNode(node))
    await tag(node, { env: 'dev', 'a*b': 'x*y', [node]: 'mine' })
    const arn = 'arn:aws:iam::123456789012:instance-profile/First'
    for (const filter of [
      `instance-id=${node},i-00000000000000000`,
      `instance-id=i-?????????????????`,
      'instance-state-name=running',
      'instance-state-code=16',
      'tag:env=dev',
      'tag:env=d*',
      'tag:env=*',
      'tag:a*b=x\\*y',
      'tag-key=env',
      'tag-value=d?v',
      `private-dns-name=${dns}`,
      'private-dns-name=*.internal',
      'private-ip-address=10.1.2.*',
      `iam-instance-profile.arn=${arn}`,
      'platform=windows',
    ]) {
      expect(await found(filter, `tag:${node}=mine`), filter).toEqual([node])
    }
    for (const filter of [
      'instance-state-name=stopped,terminated',
      'tag:env=prod',
      'tag:env=de',
      'tag:env=?',
      'tag:a*b=x\\?y',
      'tag:Env=dev',
      'tag-key=none',
      'private-ip-address=10.1.2.4',
      'vpc-id=vpc-1',
    ]) {
      expect(await found(filter, `tag:${node}=mine`), filter).toEqual([])
    }
  })

  test('comes in pages that are full, also where few fit', async () => {
    const ids = [node]
    for (let i = 0; i < 6; i++) ids.push(await createInstance(api))
    for (const id of ids) await tag(id, { page: 'yes' })
    const page = async (token: string) =>
      await call('DescribeInstances', {
        ...filters('tag:page=yes'),
        MaxResults: '5',
        ...(token !== '' && { NextToken: token }),
      })
    const first = await page('')
    expect(elements(first, 'instanceId')).toEqual([...ids].sort().slice(0, 5))
    const second = await page(elements(first, 'nextToken')[0] ?? '')
    expect(elements(second, 'instanceId')).toEqual([...ids].sort().slice(5))
    expect(elements(second, 'nextToken')).toEqual([])
    expect(await code('DescribeInstances', { NextToken: 'made-up' })).toBe('InvalidNextToken')
  })

  test('shows instances only, and refuses what EC2 refuses', async () => {
    const managed = await api.node()
    expect(await found()).not.toContain(managed)
    for (const [input, expected] of [
      [{ 'InstanceId.1': managed }, 'InvalidInstanceID.Malformed'],
      [{ 'InstanceId.1': 'i-1*' }, 'InvalidInstanceID.Malformed'],
      [{ 'InstanceId.1': node, 'InstanceId.2': 'i-00000000000000000' }, 'InvalidInstanceID.NotFound'],
      [{ 'InstanceId.1': node, MaxResults: '5' }, 'InvalidParameterCombination'],
      [{ MaxResults: '4' }, 'InvalidParameterValue'],
      [filters('__proto__=x'), 'InvalidParameterValue'],
      [filters(`tag:a=${'x,'.repeat(199)}x`, 'tag:a=x'), 'FilterLimitExceeded'],
      [{ DryRun: 'true' }, 'DryRunOperation'],
    ] as const) {
      expect(await code('DescribeInstances', input), JSON.stringify(input).slice(0, 60)).toBe(expected)
    }
    expect((await ec2(api, 'DescribeInstances', { DryRun: 'true' })).status).toBe(412)
  })

  test('a pattern that nothing fits costs next to nothing', async () => {
    await api.store.nodes.updateInformation(scope, node, { computerName: 'a'.repeat(1000) }, api.now)
    const started = performance.now()
    expect(await found(`private-dns-name=${'*a'.repeat(500)}b`)).toEqual([])
    expect(performance.now() - started).toBeLessThan(1000)
  })
})

describe('tags', () => {
  test('of EC2 and of SSM are the same', async () => {
    await tag(node, { env: 'dev', team: 'a' })
    const resource = { ResourceType: 'ManagedInstance', ResourceId: node }
    await api.ok('AddTagsToResource', { ...resource, Tags: [{ Key: 'env', Value: 'prod' }] })
    expect((await api.ok('ListTagsForResource', resource)).TagList).toEqual([
      { Key: 'env', Value: 'prod' },
      { Key: 'team', Value: 'a' },
    ])
    const listed = await call('DescribeTags', filters(`resource-id=${node}`, 'key=e*'))
    expect(listed).toContain(
      `<tagSet><item><resourceId>${node}</resourceId><resourceType>instance</resourceType><key>env</key><value>prod</value></item></tagSet>`,
    )
    await api.ok('RemoveTagsFromResource', { ...resource, TagKeys: ['team'] })
    expect(await found(`instance-id=${node}`, 'tag-key=team')).toEqual([])
  })

  test('go by their key, by key and value, or all', async () => {
    await tag(node, { a: '1', b: '2', c: '3' })
    const keys = async () => elements(await call('DescribeTags', filters(`resource-id=${node}`)), 'key')
    await call('DeleteTags', { 'ResourceId.1': node, 'Tag.1.Key': 'a', 'Tag.2.Key': 'b', 'Tag.2.Value': 'x' })
    expect(await keys()).toEqual(['b', 'c'])
    await call('DeleteTags', { 'ResourceId.1': node })
    expect(await keys()).toEqual([])
  })

  test('that cannot be are refused, and none of the others is set', async () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`Tag.${at + 1}.Key`, `k${at}`]))
    await tag(node, { there: 'yes' })
    const on = { 'ResourceId.1': node }
    for (const [input, expected] of [
      [{ ...on, ...many }, 'TagLimitExceeded'],
      [{ ...on, 'Tag.1.Key': 'aws:x' }, 'InvalidParameterValue'],
      [{ ...on, 'Tag.1.Key': 'k', 'Tag.2.Key': 'k' }, 'InvalidParameterValue'],
      // Policies could not tell them apart.
      [{ ...on, 'Tag.1.Key': 'k', 'Tag.2.Key': 'K' }, 'InvalidParameterValue'],
      [{ ...on, 'Tag.1.Key': 'There' }, 'InvalidParameterValue'],
      [{ ...on, 'ResourceId.2': 'i-00000000000000000', 'Tag.1.Key': 'k' }, 'InvalidInstanceID.NotFound'],
      [{ ...on, 'ResourceId.2': 'vol-1', 'Tag.1.Key': 'k' }, 'InvalidID'],
      [{ 'Tag.1.Key': 'k' }, 'MissingParameter'],
    ] as const) {
      expect(await code('CreateTags', input)).toBe(expected)
    }
    expect(await api.store.tags.list(scope, 'Instance', node)).toEqual([{ Key: 'there', Value: 'yes' }])
  })

  test('decide who may touch an instance', async () => {
    await tag(node, { env: 'dev' })
    const developer = await api.user('developer', {
      policies: [
        policy({
          Effect: 'Allow',
          Action: ['ec2:CreateTags', 'ec2:TerminateInstances'],
          Resource: '*',
          Condition: { StringEquals: { 'ec2:ResourceTag/env': 'dev' } },
        }),
      ],
    })
    const note = (id: string) =>
      code('CreateTags', { 'ResourceId.1': id, 'Tag.1.Key': 'note', 'Tag.1.Value': 'x' }, developer)
    expect(await note(node)).toBeUndefined()
    expect(await note(other)).toBe('UnauthorizedOperation')
    const both = { 'InstanceId.1': node, 'InstanceId.2': other }
    expect(await code('TerminateInstances', both, developer)).toBe('UnauthorizedOperation')
    expect(await state(node)).toBe('running')
    expect(await code('DescribeInstances', {}, developer)).toBe('UnauthorizedOperation')
  })
})

describe('an association', () => {
  const associate = (input: Record<string, string>) =>
    ec2(api, 'AssociateIamInstanceProfile', { InstanceId: node, ...input })
  const arn = (name: string) => `arn:aws:iam::123456789012:instance-profile/${name}`

  test('is made once, replaced without a gap, and ended', async () => {
    const made = await associate({ 'IamInstanceProfile.Arn': arn('First') })
    const [id = ''] = elements(made.text, 'associationId')
    expect(id).toMatch(/^iip-assoc-[0-9a-f]{17}$/)
    expect(elements(made.text, 'state')).toEqual(['associated'])
    const again = await associate({ 'IamInstanceProfile.Name': 'Second' })
    expect(again).toMatchObject({ status: 400, code: 'IncorrectState' })
    expect(again.message).toContain(id)
    const replaced = await call('ReplaceIamInstanceProfileAssociation', {
      AssociationId: id,
      'IamInstanceProfile.Name': 'Second',
    })
    const [newId = ''] = elements(replaced, 'associationId')
    expect(newId).not.toBe(id)
    const of = (...given: string[]) => call('DescribeIamInstanceProfileAssociations', filters(...given))
    const listed = await of(`instance-id=${node}`, 'state=associated')
    expect(elements(listed, 'arn')).toEqual([arn('Second')])
    expect(await code('DisassociateIamInstanceProfile', { AssociationId: id })).toBe(
      'InvalidAssociationID.NotFound',
    )
    const ended = await call('DisassociateIamInstanceProfile', { AssociationId: newId })
    expect(elements(ended, 'state')).toEqual(['disassociated'])
    expect(elements(await of(`instance-id=${node}`), 'associationId')).toEqual([])
  })

  test('of one instance is one, however many are asked for at once', async () => {
    const names = ['First', 'Second', 'First', 'Second']
    const answers = await Promise.all(names.map(name => associate({ 'IamInstanceProfile.Name': name })))
    expect(answers.map(answer => answer.code ?? 'made').sort()).toEqual([
      ...Array(3).fill('IncorrectState'),
      'made',
    ])
  })

  test('takes one profile that there is, and an instance that there is', async () => {
    for (const [input, expected] of [
      [{ 'IamInstanceProfile.Name': 'Missing' }, 'InvalidParameterValue'],
      [{ 'IamInstanceProfile.Arn': arn('path/First') }, 'InvalidParameterValue'],
      [
        { 'IamInstanceProfile.Arn': 'arn:aws:iam::999999999999:instance-profile/First' },
        'InvalidParameterValue',
      ],
      [
        { 'IamInstanceProfile.Arn': arn('First'), 'IamInstanceProfile.Name': 'First' },
        'InvalidParameterCombination',
      ],
      [{}, 'MissingParameter'],
      [
        { 'IamInstanceProfile.Name': 'First', InstanceId: 'i-00000000000000000' },
        'InvalidInstanceID.NotFound',
      ],
      [
        { 'IamInstanceProfile.Name': 'First', InstanceId: 'mi-00000000000000000' },
        'InvalidInstanceID.Malformed',
      ],
    ] as const) {
      expect((await associate(input)).code, JSON.stringify(input)).toBe(expected)
    }
    expect((await associate({ 'IamInstanceProfile.Name': 'Missing' })).message).toContain(
      '`aws iam create-instance-profile --instance-profile-name Missing`',
    )
  })

  test('needs the instance, the profile and the role to be allowed', async () => {
    const statements = {
      instance: {
        Effect: 'Allow',
        Action: 'ec2:*Association',
        Resource: `arn:aws:ec2:*:*:instance/${other}`,
      },
      associate: {
        Effect: 'Allow',
        Action: 'ec2:AssociateIamInstanceProfile',
        Resource: '*',
        Condition: { ArnLike: { 'ec2:InstanceProfile': arn('F*') } },
      },
      pass: {
        Effect: 'Allow',
        Action: 'iam:PassRole',
        Resource: 'arn:aws:iam::*:role/First',
        Condition: { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } },
      },
    }
    const limited = await api.user('limited', { policies: Object.values(statements).map(policy) })
    const asked = (action: string, input: Record<string, string>) => code(action, input, limited)
    const give = (name: string) =>
      asked('AssociateIamInstanceProfile', { InstanceId: node, 'IamInstanceProfile.Name': name })
    expect(await give('Second')).toBe('UnauthorizedOperation')
    expect(await give('Missing')).toBe('UnauthorizedOperation')
    expect(await give('First')).toBeUndefined()
    const [association] = elements(
      await call('DescribeIamInstanceProfileAssociations', filters(`instance-id=${node}`)),
      'associationId',
    )
    expect(
      await asked('ReplaceIamInstanceProfileAssociation', {
        AssociationId: association ?? '',
        'IamInstanceProfile.Name': 'First',
      }),
    ).toBe('UnauthorizedOperation')
  })
})

test('DescribeInstanceStatus is ok when the agent is online', async () => {
  const status = async () =>
    elements(await call('DescribeInstanceStatus', { 'InstanceId.1': node }), 'status')
  expect(await status()).toEqual(['initializing', 'initializing', 'initializing', 'initializing'])
  await api.store.nodes.setConnected(scope, node, { epoch: 1, server: 's', now: api.now })
  expect(await status()).toEqual(['ok', 'passed', 'ok', 'passed'])
})
