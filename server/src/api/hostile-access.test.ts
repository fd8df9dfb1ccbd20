import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testScope as scope } from '../store/testing.ts'
import { ACCOUNT, document, HostileApi, tags, trusting } from './hostile-testing.ts'
import { type ApiForTest, publicKeyText } from './testing.ts'

// People with narrow policies who look for a way around them (security-cases.md 9, 18, 45). What each of them may do is
// said by the policies that the test gives; all the rest is refused.

let hostile: HostileApi
let api: ApiForTest
const mallory: HostileApi['mallory'] = (...statements) => hostile.mallory(...statements)
const ok: HostileApi['ok'] = (...args) => hostile.ok(...args)
const ec2 = (action: string, input: Record<string, string>, who: Credentials) =>
  hostile.query('ec2', action, input, who)

beforeAll(async () => {
  hostile = await HostileApi.open()
  api = hostile.api
})
afterAll(() => api.dispose())

async function instance(tagged: Record<string, string> = {}): Promise<string> {
  const created = await api.ok('CreateActivation', { IamRole: 'SSMServiceRole' })
  const machine = { Fingerprint: 'f', PublicKey: publicKeyText, PublicKeyType: 'Rsa', AsInstance: true }
  const { ActivationId, ActivationCode } = created
  const { body } = await api.anonymous('RegisterManagedInstance', {
    ActivationId,
    ActivationCode,
    ...machine,
  })
  const id = String(body.InstanceId)
  const list = Object.entries(tagged).map(([Key, Value]) => ({ Key, Value }))
  await api.store.tags.add(scope, 'Instance', id, list)
  api.accessCache.forget()
  return id
}
const tagsOf = async (type: string, id: string) =>
  Object.fromEntries((await api.store.tags.list(scope, type, id)).map(({ Key, Value }) => [Key, Value]))

describe('tags that decide what is allowed', () => {
  const notEnv = {
    Effect: 'Deny',
    Action: ['ec2:*Tags', 'iam:*Tag*', 'iam:TagUser', 'iam:UntagUser'],
    Condition: { 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['env'] } },
  }

  test('are not all removed by whoever may not remove this one', async () => {
    const id = await instance({ env: 'prod', note: 'x' })
    const who = await mallory({ Action: 'ec2:DeleteTags' }, notEnv)
    expect((await ec2('DeleteTags', { 'ResourceId.1': id, 'Tag.1.Key': 'env' }, who)).status).toBe(403)
    expect((await ec2('DeleteTags', { 'ResourceId.1': id }, who)).status).toBe(403)
    expect(await tagsOf('Instance', id)).toEqual({ env: 'prod', note: 'x' })
    expect((await ec2('DeleteTags', { 'ResourceId.1': id, 'Tag.1.Key': 'note' }, who)).status).toBe(200)
    expect((await ec2('DeleteTags', { 'ResourceId.1': id }, who)).status).toBe(403)
  })

  test('of instances are not changed through SSM by whoever may not change them in EC2', async () => {
    const id = await instance({ env: 'prod' })
    const resource = { ResourceType: 'ManagedInstance', ResourceId: id }
    const ssm = await mallory({ Action: ['ssm:AddTagsToResource', 'ssm:RemoveTagsFromResource'] })
    const add = { ...resource, Tags: [{ Key: 'env', Value: 'dev' }] }
    const remove = { ...resource, TagKeys: ['env'] }
    expect(await api.code('AddTagsToResource', add, ssm)).toBe('AccessDeniedException')
    expect(await api.code('RemoveTagsFromResource', remove, ssm)).toBe('AccessDeniedException')
    expect(await tagsOf('Instance', id)).toEqual({ env: 'prod' })
    const both = await mallory({ Action: ['ssm:*TagsToResource', 'ssm:RemoveTags*', 'ec2:*Tags'] })
    expect(await api.code('AddTagsToResource', add, both)).toBe('')
    expect(await api.code('RemoveTagsFromResource', remove, both)).toBe('')
  })

  test('of users and roles are not reached by another spelling of their key', async () => {
    await ok('CreateUser', { UserName: 'tagged', ...tags({ env: 'prod' }) })
    const RoleName = 'TaggedRole'
    const trust = trusting({ AWS: '*' })
    await ok('CreateRole', { RoleName, AssumeRolePolicyDocument: trust, ...tags({ env: 'prod' }) })
    const who = await mallory(
      { Action: ['iam:TagUser', 'iam:UntagUser', 'iam:TagRole', 'iam:UntagRole'] },
      notEnv,
    )
    for (const [kind, owner] of [
      ['User', { UserName: 'tagged' }],
      ['Role', { RoleName }],
    ] as Array<[string, Record<string, string>]>) {
      for (const key of ['env', 'ENV', 'eNv']) {
        const set = { ...owner, ...tags({ [key]: 'dev' }) }
        expect((await api.iam(`Tag${kind}`, set, who)).code).toBe('AccessDenied')
        const remove = { ...owner, 'TagKeys.member.1': key }
        expect((await api.iam(`Untag${kind}`, remove, who)).code).toBe('AccessDenied')
      }
      await ok(`Tag${kind}`, { ...owner, ...tags({ note: 'x' }) }, who)
    }
    expect(await tagsOf('User', 'tagged')).toEqual({ env: 'prod', note: 'x' })
    expect(await tagsOf('Role', RoleName)).toEqual({ env: 'prod', note: 'x' })
  })

  test.each<[string, Record<string, string>]>([
    ['Role', { RoleName: 'New', AssumeRolePolicyDocument: trusting({ AWS: '123456789012' }) }],
    ['User', { UserName: 'new' }],
    ['Policy', { PolicyName: 'New', PolicyDocument: document({ Action: 'ssm:*' }) }],
    ['InstanceProfile', { InstanceProfileName: 'New' }],
  ])('are not brought along by a new %s without the permission to tag', async (kind, input) => {
    const who = await mallory({ Action: `iam:Create${kind}` })
    const answer = await api.iam(`Create${kind}`, { ...input, ...tags({ team: 'admins' }) }, who)
    expect(answer.code).toBe('AccessDenied')
    expect(answer.message).toContain(`iam:Tag${kind} on resource`)
    const may = await mallory({ Action: [`iam:Create${kind}`, `iam:Tag${kind}`] })
    await ok(`Create${kind}`, { ...input, ...tags({ team: 'admins' }) }, may)
  })

  test('nor by a new document', async () => {
    const who = await mallory({ Action: 'ssm:CreateDocument' })
    const Content = JSON.stringify({ schemaVersion: '1.0', sessionType: 'Standard_Stream' })
    const input = { Name: 'Tagged', DocumentType: 'Session', Content }
    const Tags = [{ Key: 'team', Value: 'ops' }]
    expect(await api.code('CreateDocument', { ...input, Tags }, who)).toBe('AccessDeniedException')
    expect(await api.code('CreateDocument', input, who)).toBe('')
  })

  test('are known from the moment in which something has them', async () => {
    const who = await mallory(
      { Action: 'iam:GetPolicy' },
      { Effect: 'Deny', Action: '*', Condition: { StringEquals: { 'aws:ResourceTag/secret': 'yes' } } },
    )
    const PolicyArn = `${ACCOUNT}:policy/Later`
    expect((await api.iam('GetPolicy', { PolicyArn }, who)).code).toBe('NoSuchEntity')
    await ok('CreatePolicy', {
      PolicyName: 'Later',
      PolicyDocument: document({ Action: 'ssm:*' }),
      ...tags({ secret: 'yes' }),
    })
    expect((await api.iam('GetPolicy', { PolicyArn }, who)).code).toBe('AccessDenied')
  })
})

describe('whoever may not see something is not told whether it is there', () => {
  const trust = trusting({ AWS: '*' })
  beforeAll(async () => {
    const Path = '/hidden/'
    await ok('CreateUser', { UserName: 'there', Path, ...tags({ team: 'b' }) })
    await ok('CreateGroup', { GroupName: 'there', Path })
    await ok('CreateRole', {
      RoleName: 'there',
      Path,
      AssumeRolePolicyDocument: trust,
      ...tags({ team: 'b' }),
    })
    await ok('CreateInstanceProfile', { InstanceProfileName: 'there', Path, ...tags({ team: 'b' }) })
    await ok('PutUserPermissionsBoundary', {
      UserName: 'there',
      PermissionsBoundary: 'arn:aws:iam::aws:policy/ReadOnlyAccess',
    })
  })

  test.each([
    ['GetUser', 'UserName', {}],
    ['DeleteUser', 'UserName', {}],
    ['UpdateUser', 'UserName', { NewUserName: 'renamed' }],
    ['CreateAccessKey', 'UserName', {}],
    ['CreateLoginProfile', 'UserName', { Password: 'Correct-horse-1' }],
    ['PutUserPolicy', 'UserName', { PolicyName: 'p', PolicyDocument: '{}' }],
    ['DeleteUserPermissionsBoundary', 'UserName', {}],
    ['ListGroupsForUser', 'UserName', {}],
    ['GetGroup', 'GroupName', {}],
    ['UpdateGroup', 'GroupName', { NewGroupName: 'renamed' }],
    ['AttachGroupPolicy', 'GroupName', { PolicyArn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' }],
    ['GetRole', 'RoleName', {}],
    ['UpdateAssumeRolePolicy', 'RoleName', { PolicyDocument: '{}' }],
    ['AttachRolePolicy', 'RoleName', { PolicyArn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' }],
    ['GetInstanceProfile', 'InstanceProfileName', {}],
  ])('%s', async (action, member, more) => {
    for (const who of [
      await mallory({ Action: 'ssm:*' }),
      await mallory({
        Action: 'iam:*',
        Condition: {
          StringEquals: {
            'aws:ResourceTag/team': 'a',
            'iam:PermissionsBoundary': 'arn:aws:iam::aws:policy/X',
          },
        },
      }),
      await mallory({ Action: 'iam:*', Condition: { StringEquals: { 'iam:PermissionsBoundary': 'x' } } }),
    ]) {
      const there = await api.iam(action, { [member]: 'there', ...more }, who)
      const nobody = await api.iam(action, { [member]: 'nobody', ...more }, who)
      expect(there.code).toBe('AccessDenied')
      expect(there.message.replaceAll('there', 'nobody')).toBe(nobody.message)
    }
  })

  test('an access key, and whose it is', async () => {
    const { accessKeyId } = await api.user('owner-of-a-key')
    const who = await mallory({ Action: 'ssm:*' })
    const [there, nobody] = await Promise.all(
      [accessKeyId, 'AKIANOBODY0000000000'].map(AccessKeyId =>
        api.iam('GetAccessKeyLastUsed', { AccessKeyId }, who),
      ),
    )
    expect(there).toMatchObject({ code: 'AccessDenied', message: nobody?.message })
    expect(there?.message).not.toContain('owner')
  })

  test('a node of other tags, and a session of somebody else', async () => {
    const node = await api.onlineNode({ Tags: [{ Key: 'env', Value: 'prod' }] })
    const who = await mallory({
      Action: ['ssm:StartSession', 'ssm:TerminateSession', 'ssm:ResumeSession'],
      Condition: { StringEquals: { 'ssm:resourceTag/env': 'dev' } },
    })
    const none = 'mi-00000000000000000'
    const start = async (Target: string) =>
      (await api.call('StartSession', { Target }, who)).message.replaceAll(Target, 'X')
    expect(await start(node)).toBe(await start(none))
    const { SessionId } = await api.ok('StartSession', { Target: node })
    for (const operation of ['TerminateSession', 'ResumeSession']) {
      const of = async (id: string) =>
        (await api.call(operation, { SessionId: id }, who)).message.replaceAll(id, 'X')
      expect(await of(String(SessionId))).toBe(await of('admin-00000000000000000'))
    }
  })
})
