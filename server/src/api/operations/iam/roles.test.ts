import { afterAll, beforeAll, expect, test } from 'vitest'
import { element, elements, iam, numberedTags } from '../../query-testing.ts'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

const trust = (service = 'ec2.amazonaws.com') =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' }],
  })
const allow = (Action: string | string[], Resource: string, Condition: object = {}) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource, Condition }] })
const create = (RoleName: string, more: Record<string, string> = {}, credentials = api.administrator) =>
  api.iam('CreateRole', { RoleName, AssumeRolePolicyDocument: trust(), ...more }, credentials)
const text = (action: string, input: Record<string, string>) => iam(api, action, input)

test('a role is made, shown, changed and deleted', async () => {
  const made = String((await create('Web', { Path: '/app/', Description: 'for & <web>' })).body.text)
  expect(element(made, 'Arn')).toBe('arn:aws:iam::123456789012:role/app/Web')
  expect(element(made, 'RoleId')).toMatch(/^AROA[A-Z2-7]{16}$/)
  expect(element(made, 'CreateDate')).toBe('2026-01-31T12:00:00Z')
  expect(made).toContain('<Description>for &amp; &lt;web&gt;</Description>')
  expect(decodeURIComponent(element(made, 'AssumeRolePolicyDocument') ?? '')).toBe(trust())
  expect(element(made, 'AssumeRolePolicyDocument')).not.toMatch(/[!'()*{}":]/)

  const changed = await text('UpdateRole', { RoleName: 'Web', MaxSessionDuration: '7200' })
  // SDKs look for the element that AWS's model names, empty as it is.
  expect(changed).toContain('<UpdateRoleResult></UpdateRoleResult>')
  await text('UpdateAssumeRolePolicy', { RoleName: 'Web', PolicyDocument: trust('ssm.amazonaws.com') })
  const shown = await text('GetRole', { RoleName: 'Web' })
  expect(element(shown, 'MaxSessionDuration')).toBe('7200')
  expect(element(shown, 'Description')).toBe('for &amp; &lt;web&gt;')
  expect(shown).toContain('<RoleLastUsed></RoleLastUsed>')
  expect(decodeURIComponent(element(shown, 'AssumeRolePolicyDocument') ?? '')).toBe(
    trust('ssm.amazonaws.com'),
  )
  await api.store.roles.touch({ accountId: '123456789012', region: 'us-east-1' }, 'Web', {
    now: Date.UTC(2026, 1, 1),
    region: 'us-east-1',
  })
  expect(await text('GetRole', { RoleName: 'Web' })).toContain(
    '<RoleLastUsed><LastUsedDate>2026-02-01T00:00:00Z</LastUsedDate><Region>us-east-1</Region></RoleLastUsed>',
  )
  expect(
    element(await text('UpdateRoleDescription', { RoleName: 'Web', Description: '' }), 'Description'),
  ).toBe('')

  await text('DeleteRole', { RoleName: 'Web' })
  expect(await api.iam('GetRole', { RoleName: 'Web' })).toMatchObject({
    status: 404,
    code: 'NoSuchEntity',
    message: 'The role with name Web cannot be found.',
  })
  const again = element(String((await create('Web')).body.text), 'RoleId')
  expect(again).not.toBe(element(made, 'RoleId'))
})

test('a name is taken whatever its case, also for those who come at once', async () => {
  const answers = await Promise.all(['Twice', 'twice', 'TWICE'].map(each => create(each)))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409])
  expect(answers.find(({ status }) => status === 409)).toMatchObject({ code: 'EntityAlreadyExists' })
  expect((await create('Twice')).message).toMatch(/^Role with name Twice already exists\.$/)
})

test('a trust policy that cannot be is refused when it is written, with the reason', async () => {
  for (const policy of [
    '{',
    '[]',
    '{"Version":"2012-10-17"}',
    trust().replace('"Principal":{"Service":"ec2.amazonaws.com"},', ''),
    trust().replace('"Allow"', '"Maybe"'),
    trust().replace('"Action"', '"Resource":"*","Action"'),
  ]) {
    const answer = await create('Bad', { AssumeRolePolicyDocument: policy })
    expect([policy, answer.code]).toEqual([policy, 'MalformedPolicyDocument'])
    expect(answer.status).toBe(400)
    expect(answer.message).not.toBe('')
  }
  expect((await api.iam('GetRole', { RoleName: 'Bad' })).code).toBe('NoSuchEntity')
  await create('Good')
  const worse = await api.iam('UpdateAssumeRolePolicy', { RoleName: 'Good', PolicyDocument: '{' })
  expect(worse.code).toBe('MalformedPolicyDocument')
  const kept = element(await text('GetRole', { RoleName: 'Good' }), 'AssumeRolePolicyDocument')
  expect(decodeURIComponent(kept ?? '')).toBe(trust())
})

test('white space does not count towards the size of a trust policy, everything else does', async () => {
  expect((await create('Wide', { AssumeRolePolicyDocument: trust() + ' \n\t'.repeat(5_000) })).status).toBe(
    200,
  )
  const large = trust().replace('ec2.amazonaws.com', `${'x'.repeat(2_100)}.amazonaws.com`)
  expect(await create('Large', { AssumeRolePolicyDocument: large })).toMatchObject({
    status: 409,
    code: 'LimitExceeded',
    message: 'Cannot exceed quota for ACLSizePerRole: 2048',
  })
})

test('names, paths and numbers that cannot be are refused', async () => {
  for (const RoleName of [
    '',
    '../x',
    'a/b',
    'a*',
    'a b',
    'a:b',
    'ä',
    'x'.repeat(65),
    'a\n',
    '${aws:username}',
  ]) {
    expect([RoleName, (await create(RoleName)).code]).toEqual([RoleName, 'ValidationError'])
  }
  for (const Path of ['', 'app', '/app', 'app/', '/a b/', '/ä/', `/${'x'.repeat(512)}/`]) {
    expect([Path, (await create('Pathless', { Path })).code]).toEqual([Path, 'ValidationError'])
  }
  for (const MaxSessionDuration of ['3599', '43201', '-1', '1e4', 'x']) {
    expect((await create('Timeless', { MaxSessionDuration })).status).toBe(400)
  }
  expect((await create('Own', { Path: '/aws-service-role/ssm.amazonaws.com/' })).code).toBe('InvalidInput')
  // Names that every object has.
  for (const RoleName of ['__proto__', 'constructor', 'toString']) {
    expect((await api.iam('GetRole', { RoleName })).code).toBe('NoSuchEntity')
    expect(
      (await create(RoleName, { 'Tags.member.1.Key': RoleName, 'Tags.member.1.Value': 'v' })).status,
    ).toBe(200)
    expect(await text('ListRoleTags', { RoleName })).toContain(`<Key>${RoleName}</Key>`)
  }
})

test('a role goes only when nothing belongs to it', async () => {
  await create('Held')
  const policy = { RoleName: 'Held', PolicyName: 'p', PolicyDocument: allow('*', '*') }
  const attached = { RoleName: 'Held', PolicyArn: 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore' }
  await text('PutRolePolicy', policy)
  await text('AttachRolePolicy', attached)
  await text('CreateInstanceProfile', { InstanceProfileName: 'Held' })
  const inProfile = { InstanceProfileName: 'Held', RoleName: 'Held' }
  await text('AddRoleToInstanceProfile', inProfile)
  const refusal = async () => {
    const { code, message } = await api.iam('DeleteRole', { RoleName: 'Held' })
    return `${code}: ${message}`
  }
  expect(await refusal()).toBe(
    'DeleteConflict: Cannot delete entity, must remove roles from instance profile first.',
  )
  await text('RemoveRoleFromInstanceProfile', inProfile)
  expect(await refusal()).toBe('DeleteConflict: Cannot delete entity, must detach all policies first.')
  await text('DetachRolePolicy', attached)
  expect(await refusal()).toBe('DeleteConflict: Cannot delete entity, must delete policies first.')
  await text('DeleteRolePolicy', { RoleName: 'Held', PolicyName: 'p' })
  await text('DeleteRole', { RoleName: 'Held' })
})

test('lists go by path and by pages', async () => {
  for (const name of ['list-a', 'list-b', 'list-c']) await create(name, { Path: '/lists/of/' })
  const first = await text('ListRoles', { PathPrefix: '/lists/', MaxItems: '2' })
  expect(elements(first, 'RoleName')).toEqual(['list-a', 'list-b'])
  expect(element(first, 'IsTruncated')).toBe('true')
  const Marker = element(first, 'Marker') ?? ''
  const second = await text('ListRoles', { PathPrefix: '/lists/', MaxItems: '2', Marker })
  expect(elements(second, 'RoleName')).toEqual(['list-c'])
  expect(element(second, 'IsTruncated')).toBe('false')
  expect(elements(await text('ListRoles', { PathPrefix: '/nowhere/' }), 'RoleName')).toEqual([])
  expect((await api.iam('ListRoles', { MaxItems: '0' })).code).toBe('ValidationError')
})

test('tags of a role ignore case, and 50 are the most also for those who come at once', async () => {
  await create('Tagged', numberedTags('Tags.member', { Env: 'dev' }))
  await text('TagRole', { RoleName: 'Tagged', ...numberedTags('Tags.member', { ENV: 'prod' }) })
  expect(element(await text('ListRoleTags', { RoleName: 'Tagged' }), 'Tags')).toBe(
    '<member><Key>ENV</Key><Value>prod</Value></member>',
  )
  const batch = (letter: string) =>
    Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`${letter}${i}`, 'v']))
  const answers = await Promise.all(
    ['a', 'b', 'c'].map(letter =>
      api.iam('TagRole', { RoleName: 'Tagged', ...numberedTags('Tags.member', batch(letter)) }),
    ),
  )
  expect(answers.map(({ code }) => code ?? '').sort()).toEqual(['', 'LimitExceeded', 'LimitExceeded'])
  expect(elements(await text('ListRoleTags', { RoleName: 'Tagged' }), 'Key')).toHaveLength(31)
  await text('UntagRole', { RoleName: 'Tagged', 'TagKeys.member.1': 'env', 'TagKeys.member.2': 'nope' })
  expect(await text('ListRoleTags', { RoleName: 'Tagged' })).not.toContain('ENV')
  expect((await create('Reserved', numberedTags('Tags.member', { 'aws:x': 'v' }))).code).toBe('InvalidInput')
  expect((await create('Doubled', numberedTags('Tags.member', { a: '1', A: '2' }))).code).toBe('InvalidInput')
  expect(
    (await api.iam('TagRole', { RoleName: 'nobody', ...numberedTags('Tags.member', { a: 'b' }) })).code,
  ).toBe('NoSuchEntity')
})

test('a boundary is a policy that exists', async () => {
  const PermissionsBoundary = 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore'
  await create('Bound', { PermissionsBoundary })
  expect(element(await text('GetRole', { RoleName: 'Bound' }), 'PermissionsBoundaryArn')).toBe(
    PermissionsBoundary,
  )
  await text('DeleteRolePermissionsBoundary', { RoleName: 'Bound' })
  expect(await text('GetRole', { RoleName: 'Bound' })).not.toContain('PermissionsBoundary')
  expect((await api.iam('DeleteRolePermissionsBoundary', { RoleName: 'Bound' })).code).toBe('NoSuchEntity')
  for (const arn of ['arn:aws:iam::aws:policy/Nope', 'arn:aws:iam::123456789012:policy/Nope']) {
    const input = { RoleName: 'Bound', PermissionsBoundary: arn }
    expect((await api.iam('PutRolePermissionsBoundary', input)).code).toBe('NoSuchEntity')
    expect((await create('Unbound', { PermissionsBoundary: arn })).code).toBe('NoSuchEntity')
  }
})

test('the role of a service is made once, and nobody changes it', async () => {
  const made = await text('CreateServiceLinkedRole', { AWSServiceName: 'ssm.amazonaws.com' })
  expect(element(made, 'Arn')).toBe(
    'arn:aws:iam::123456789012:role/aws-service-role/ssm.amazonaws.com/AWSServiceRoleForAmazonSSM',
  )
  const again = await api.iam('CreateServiceLinkedRole', { AWSServiceName: 'ssm.amazonaws.com' })
  expect(again).toMatchObject({ status: 400, code: 'InvalidInput' })
  expect(again.message).toMatch(/has been taken in this account/)
  const other = await api.iam('CreateServiceLinkedRole', { AWSServiceName: 'ecs.amazonaws.com' })
  expect(other).toMatchObject({ code: 'InvalidInput' })
  expect(other.message).toContain('only for ssm.amazonaws.com')
  const RoleName = 'AWSServiceRoleForAmazonSSM'
  for (const [action, more] of [
    ['DeleteRole', {}],
    ['UpdateRole', { Description: 'x' }],
    ['UpdateAssumeRolePolicy', { PolicyDocument: trust() }],
    ['TagRole', numberedTags('Tags.member', { a: 'b' })],
  ] as const) {
    expect([action, (await api.iam(action, { RoleName, ...more })).code]).toEqual([
      action,
      'UnmodifiableEntity',
    ])
  }
  const DeletionTaskId = element(await text('DeleteServiceLinkedRole', { RoleName }), 'DeletionTaskId') ?? ''
  expect(await text('GetServiceLinkedRoleDeletionStatus', { DeletionTaskId })).toContain(
    '<Status>SUCCEEDED</Status>',
  )
  expect((await api.iam('GetRole', { RoleName })).code).toBe('NoSuchEntity')
  await create('Ordinary')
  expect((await api.iam('DeleteServiceLinkedRole', { RoleName: 'Ordinary' })).code).toBe('NoSuchEntity')
  expect((await api.iam('GetServiceLinkedRoleDeletionStatus', { DeletionTaskId: 'x' })).code).toBe(
    'NoSuchEntity',
  )
})

test('policies decide by the real path, by tags, and by the boundary', async () => {
  const make = allow('iam:CreateRole', 'arn:aws:iam::*:role/teams/*', {
    StringEquals: { 'iam:PermissionsBoundary': 'arn:aws:iam::aws:policy/ReadOnlyAccess' },
    'ForAllValues:StringEquals': { 'aws:TagKeys': ['team'] },
  })
  const change = allow(['iam:GetRole', 'iam:TagRole', 'iam:DeleteRole'], '*', {
    StringEquals: { 'aws:ResourceTag/team': 'web' },
  })
  const tagNew = allow('iam:TagRole', '*', { Null: { 'aws:ResourceTag/team': 'true' } })
  const lead = await api.user('lead', { policies: [make, tagNew, change] })
  const bounded = { Path: '/teams/', PermissionsBoundary: 'arn:aws:iam::aws:policy/ReadOnlyAccess' }
  const denied = await create('Escaped', { ...bounded, Path: '/' }, lead)
  expect(denied).toMatchObject({ status: 403, code: 'AccessDenied' })
  expect(denied.message).toContain('iam:CreateRole on resource: arn:aws:iam::123456789012:role/Escaped')
  expect((await create('Unbounded', { Path: '/teams/' }, lead)).code).toBe('AccessDenied')
  expect(
    (await create('Odd', { ...bounded, ...numberedTags('Tags.member', { other: 'x' }) }, lead)).code,
  ).toBe('AccessDenied')
  expect(
    (await create('WebTeam', { ...bounded, ...numberedTags('Tags.member', { team: 'web' }) }, lead)).status,
  ).toBe(200)
  expect(
    (await create('DbTeam', { ...bounded, ...numberedTags('Tags.member', { team: 'db' }) }, lead)).status,
  ).toBe(200)
  expect((await api.iam('GetRole', { RoleName: 'WebTeam' }, lead)).status).toBe(200)
  const foreign = await api.iam('GetRole', { RoleName: 'DbTeam' }, lead)
  expect(foreign.message).toContain('iam:GetRole on resource: arn:aws:iam::123456789012:role/DbTeam')
  // Who may not see everything cannot tell what is not there from what is.
  expect((await api.iam('GetRole', { RoleName: 'Nothing' }, lead)).code).toBe('AccessDenied')
  // The tag that opens the door must be there before: asking for it does not help.
  const claim = { RoleName: 'DbTeam', ...numberedTags('Tags.member', { team: 'web' }) }
  expect((await api.iam('TagRole', claim, lead)).code).toBe('AccessDenied')
  expect((await api.iam('ListRoles', {}, lead)).message).toContain('role/')
})

test('whatever may change what somebody is allowed tells everybody who holds a session open', async () => {
  api.published.length = 0
  await create('Loud')
  await text('UpdateAssumeRolePolicy', { RoleName: 'Loud', PolicyDocument: trust() })
  await text('TagRole', { RoleName: 'Loud', ...numberedTags('Tags.member', { a: 'b' }) })
  await text('DeleteRole', { RoleName: 'Loud' })
  expect(api.published.map(([, message]) => message)).toEqual(
    Array.from({ length: 4 }, () => ({ type: 'changed' })),
  )
})

test('a role that only nodes use is not one that nobody uses', async () => {
  const shown = () => text('GetRole', { RoleName: 'SSMServiceRole' })
  expect(await shown()).toContain('<RoleLastUsed></RoleLastUsed>')
  const node = await api.node()
  await api.ok('UpdateInstanceInformation', { InstanceId: node, AgentVersion: '3.3.0.0' }, api.asNode(node))
  // It is written while nobody waits; the store does one thing after the other.
  expect(element(await shown(), 'LastUsedDate')).toBe('2026-01-31T12:00:00Z')
})
