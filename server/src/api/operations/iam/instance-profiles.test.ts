import { afterAll, beforeAll, expect, test } from 'vitest'
import { element, elements, iam } from '../../query-testing.ts'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest

const TRUST = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }],
})

beforeAll(async () => {
  api = await openApi()
  for (const RoleName of ['EC2SSMRole', 'Other']) {
    await api.iam('CreateRole', { RoleName, AssumeRolePolicyDocument: TRUST, Path: '/nodes/' })
  }
})
afterAll(() => api.dispose())

const create = (InstanceProfileName: string, more: Record<string, string> = {}) =>
  api.iam('CreateInstanceProfile', { InstanceProfileName, ...more })
const text = (action: string, input: Record<string, string>) => iam(api, action, input)

test('a profile takes one role, shows it, and gives it back', async () => {
  const made = String((await create('Web', { Path: '/app/' })).body.text)
  expect(element(made, 'InstanceProfileId')).toMatch(/^AIPA[A-Z2-7]{16}$/)
  expect(element(made, 'Arn')).toBe('arn:aws:iam::123456789012:instance-profile/app/Web')
  expect(made).toContain('<Roles></Roles>')
  const web = { InstanceProfileName: 'Web', RoleName: 'EC2SSMRole' }
  await text('AddRoleToInstanceProfile', web)
  const shown = await text('GetInstanceProfile', { InstanceProfileName: 'Web' })
  expect(elements(shown, 'Arn')).toContain('arn:aws:iam::123456789012:role/nodes/EC2SSMRole')
  expect(decodeURIComponent(element(shown, 'AssumeRolePolicyDocument') ?? '')).toBe(TRUST)

  expect(await api.iam('AddRoleToInstanceProfile', { ...web, RoleName: 'Other' })).toMatchObject({
    status: 409,
    code: 'LimitExceeded',
    message: 'Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1',
  })
  const forRole = await text('ListInstanceProfilesForRole', { RoleName: 'EC2SSMRole' })
  expect(elements(forRole, 'InstanceProfileName')).toEqual(['Web'])
  expect(await api.iam('DeleteInstanceProfile', { InstanceProfileName: 'Web' })).toMatchObject({
    status: 409,
    code: 'DeleteConflict',
    message: 'Cannot delete entity, must remove roles from instance profile first.',
  })
  const wrong = { ...web, RoleName: 'Other' }
  expect((await api.iam('RemoveRoleFromInstanceProfile', wrong)).code).toBe('NoSuchEntity')
  await text('RemoveRoleFromInstanceProfile', web)
  expect((await api.iam('RemoveRoleFromInstanceProfile', web)).code).toBe('NoSuchEntity')
  await text('DeleteInstanceProfile', { InstanceProfileName: 'Web' })
  expect(await api.iam('GetInstanceProfile', { InstanceProfileName: 'Web' })).toMatchObject({
    status: 404,
    code: 'NoSuchEntity',
    message: 'Instance Profile Web cannot be found.',
  })
})

test('a name is taken whatever its case; what is not there is said so', async () => {
  const answers = await Promise.all(['Twice', 'twice'].map(each => create(each)))
  expect(answers.map(({ code }) => code ?? '').sort()).toEqual(['', 'EntityAlreadyExists'])
  const missing = { InstanceProfileName: 'Twice', RoleName: 'Missing' }
  expect((await api.iam('AddRoleToInstanceProfile', missing)).message).toContain('role with name Missing')
  const nowhere = { InstanceProfileName: 'Missing', RoleName: 'Other' }
  expect((await api.iam('AddRoleToInstanceProfile', nowhere)).message).toContain('Instance Profile Missing')
  expect((await api.iam('DeleteInstanceProfile', { InstanceProfileName: 'Missing' })).code).toBe(
    'NoSuchEntity',
  )
  expect((await api.iam('ListInstanceProfilesForRole', { RoleName: 'Missing' })).code).toBe('NoSuchEntity')
  for (const name of ['', '../x', 'a/b', 'a*', 'x'.repeat(129)]) {
    expect([name, (await create(name)).code]).toEqual([name, 'ValidationError'])
  }
})

test('lists go by path and by pages', async () => {
  for (const name of ['list-a', 'list-b', 'list-c']) await create(name, { Path: '/lists/' })
  const first = await text('ListInstanceProfiles', { PathPrefix: '/lists/', MaxItems: '2' })
  expect(elements(first, 'InstanceProfileName')).toEqual(['list-a', 'list-b'])
  const Marker = element(first, 'Marker') ?? ''
  const second = await text('ListInstanceProfiles', { PathPrefix: '/lists/', Marker })
  expect(elements(second, 'InstanceProfileName')).toEqual(['list-c'])
  expect(element(second, 'IsTruncated')).toBe('false')
})

test('tags of a profile mind case, unlike those of roles', async () => {
  const tag = (Key: string, Value: string) => ({ 'Tags.member.1.Key': Key, 'Tags.member.1.Value': Value })
  await create('Tagged', tag('env', 'dev'))
  await text('TagInstanceProfile', { InstanceProfileName: 'Tagged', ...tag('ENV', 'prod') })
  const tags = await text('ListInstanceProfileTags', { InstanceProfileName: 'Tagged' })
  expect([elements(tags, 'Key'), elements(tags, 'Value')]).toEqual([
    ['ENV', 'env'],
    ['prod', 'dev'],
  ])
  await text('UntagInstanceProfile', { InstanceProfileName: 'Tagged', 'TagKeys.member.1': 'env' })
  expect(elements(await text('GetInstanceProfile', { InstanceProfileName: 'Tagged' }), 'Key')).toEqual([
    'ENV',
  ])
})

test('who puts a role into a profile must be allowed to pass that role to instances', async () => {
  await create('Passing')
  const statement = (Action: string, Resource: string, Condition: object = {}) => ({
    Effect: 'Allow',
    Action,
    Resource,
    Condition,
  })
  const policy = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement })
  const adding = statement('iam:AddRoleToInstanceProfile', '*')
  const passing = (resource: string, service: string) =>
    statement('iam:PassRole', resource, { StringEquals: { 'iam:PassedToService': service } })
  const role = 'arn:aws:iam::123456789012:role/nodes/EC2SSMRole'
  const input = { InstanceProfileName: 'Passing', RoleName: 'EC2SSMRole' }

  const adder = await api.user('adder', { policies: [policy(adding)] })
  const denied = await api.iam('AddRoleToInstanceProfile', input, adder)
  expect(denied).toMatchObject({ status: 403, code: 'AccessDenied' })
  // Where the role is, the request did not say.
  expect(denied.message).toContain('iam:PassRole on resource: arn:aws:iam::123456789012:role/EC2SSMRole ')
  const wrong = await api.user('wrong', { policies: [policy(adding, passing(role, 'ssm.amazonaws.com'))] })
  expect((await api.iam('AddRoleToInstanceProfile', input, wrong)).code).toBe('AccessDenied')
  const passer = await api.user('passer', { policies: [policy(passing(role, 'ec2.amazonaws.com'))] })
  const notAdding = await api.iam('AddRoleToInstanceProfile', input, passer)
  expect(notAdding.message).toContain('iam:AddRoleToInstanceProfile on resource: arn:aws:iam::123456789012:')
  const both = await api.user('both', { policies: [policy(adding, passing(role, 'ec2.amazonaws.com'))] })
  const other = { ...input, RoleName: 'Other' }
  expect((await api.iam('AddRoleToInstanceProfile', other, both)).code).toBe('AccessDenied')
  expect((await api.iam('AddRoleToInstanceProfile', input, both)).status).toBe(200)
})
