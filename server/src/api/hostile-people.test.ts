import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testScope as scope } from '../store/testing.ts'
import { ACCOUNT, ADMINISTRATOR, document, HostileApi, trusting } from './hostile-testing.ts'
import type { ApiForTest } from './testing.ts'

// Ways to become more than one is: by names that look like others', by what people choose themselves, by operations that
// lead to rights in a roundabout way, by what is read twice (security-cases.md 19, 35, 45).

let hostile: HostileApi
let api: ApiForTest
const mallory: HostileApi['mallory'] = (...statements) => hostile.mallory(...statements)
const ok: HostileApi['ok'] = (...args) => hostile.ok(...args)
const iam: HostileApi['iam'] = (...args) => hostile.iam(...args)
const sts = (action: string, input: Record<string, string>, who: Credentials) =>
  hostile.query('sts', action, input, who)
const assumed: HostileApi['assumed'] = (...args) => hostile.assumed(...args)

beforeAll(async () => {
  hostile = await HostileApi.open()
  api = hostile.api
  await ok('CreateGroup', { GroupName: 'admins' })
  await ok('AttachGroupPolicy', { GroupName: 'admins', PolicyArn: ADMINISTRATOR })
  await ok('CreateUser', { UserName: 'boss', Path: '/admin/' })
  await ok('CreateRole', { RoleName: 'Boss', AssumeRolePolicyDocument: trusting({ AWS: '123456789012' }) })
  await ok('AttachRolePolicy', { RoleName: 'Boss', PolicyArn: ADMINISTRATOR })
  await ok('CreatePolicy', { PolicyName: 'Shared', PolicyDocument: document({ Action: 'ssm:Get*' }) })
  await ok('CreatePolicyVersion', {
    PolicyArn: `${ACCOUNT}:policy/Shared`,
    PolicyDocument: document({ Action: '*' }),
  })
  await ok('CreateInstanceProfile', { InstanceProfileName: 'Empty' })
})
afterAll(() => api.dispose())

describe('whoever may do everything with users, roles and policies of their own path', () => {
  const own = ['user', 'role', 'group', 'policy', 'instance-profile'].map(kind => `${ACCOUNT}:${kind}/dev/*`)

  test.each<[string, Record<string, string>]>([
    ['CreateUser', { UserName: 'x' }],
    ['CreateUser', { UserName: 'x', Path: '/admin/' }],
    ['CreateUser', { UserName: 'x', Path: '/DEV/' }],
    ['CreateUser', { UserName: 'x', Path: '/admin/dev/' }],
    ['UpdateUser', { UserName: 'boss', NewPath: '/dev/' }],
    ['UpdateUser', { UserName: 'boss', NewUserName: 'boss2', NewPath: '/dev/' }],
    ['UpdateUser', { UserName: 'mine', NewPath: '/admin/' }],
    ['CreateAccessKey', { UserName: 'boss' }],
    ['CreateAccessKey', { UserName: 'admin' }],
    ['CreateLoginProfile', { UserName: 'boss', Password: 'Correct-horse-1' }],
    ['UpdateLoginProfile', { UserName: 'boss', Password: 'Correct-horse-1' }],
    ['DeleteUser', { UserName: 'boss' }],
    ['AddUserToGroup', { GroupName: 'admins', UserName: 'mine' }],
    ['UpdateGroup', { GroupName: 'admins', NewPath: '/dev/' }],
    ['PutGroupPolicy', { GroupName: 'admins', PolicyName: 'p', PolicyDocument: '{}' }],
    ['CreatePolicyVersion', { PolicyArn: `${ACCOUNT}:policy/Shared`, PolicyDocument: '{}' }],
    ['SetDefaultPolicyVersion', { PolicyArn: `${ACCOUNT}:policy/Shared`, VersionId: 'v2' }],
    ['DeletePolicyVersion', { PolicyArn: `${ACCOUNT}:policy/Shared`, VersionId: 'v2' }],
    ['UpdateAssumeRolePolicy', { RoleName: 'Boss', PolicyDocument: trusting({ AWS: '*' }) }],
    ['AttachRolePolicy', { RoleName: 'Boss', PolicyArn: ADMINISTRATOR }],
    ['PutRolePolicy', { RoleName: 'SSMServiceRole', PolicyName: 'p', PolicyDocument: '{}' }],
    ['DeleteRolePermissionsBoundary', { RoleName: 'Boss' }],
    ['AddRoleToInstanceProfile', { InstanceProfileName: 'Empty', RoleName: 'Boss' }],
    ['ListUsers', {}],
    ['ListRoles', { PathPrefix: '/' }],
    ['ListUsers', { PathPrefix: '/d' }],
    ['GetAccountAuthorizationDetails', {}],
    ['GetAccountSummary', {}],
    ['ListPolicies', {}],
    [
      'SimulatePrincipalPolicy',
      { PolicySourceArn: `${ACCOUNT}:user/admin/boss`, 'ActionNames.member.1': 'iam:X' },
    ],
    ['GetContextKeysForPrincipalPolicy', { PolicySourceArn: `${ACCOUNT}:role/Boss` }],
  ])('is kept from %s %j', async (action, input) => {
    const who = await mallory({ Action: 'iam:*', Resource: own })
    if (input.UserName === 'mine' || Object.values(input).includes('mine')) {
      await ok('CreateUser', { UserName: 'mine', Path: '/dev/' }).catch(() => {})
    }
    expect(await iam(action, input, who)).toBe('AccessDenied')
  })

  test.each([
    ['another partition', 'arn:aws-cn:iam::aws:policy/AdministratorAccess'],
    ['another account', 'arn:aws:iam::999999999999:policy/Shared'],
    ['another path', `${ACCOUNT}:policy/dev/Shared`],
    ['another case', 'arn:aws:iam::aws:policy/administratoraccess'],
  ])('no policy is found under an ARN of %s', async (_, PolicyArn) => {
    const who = await mallory(
      { Action: 'iam:*' },
      {
        Effect: 'Deny',
        Action: '*',
        Condition: { ArnEquals: { 'iam:PolicyARN': [ADMINISTRATOR, `${ACCOUNT}:policy/Shared`] } },
      },
    )
    const UserName = hostile.name
    expect(await iam('AttachUserPolicy', { UserName, PolicyArn }, who)).toBe('NoSuchEntity')
    const bound = { UserName, PermissionsBoundary: PolicyArn }
    expect(await iam('PutUserPermissionsBoundary', bound, who)).toBe('NoSuchEntity')
    const role = { RoleName: 'Odd', AssumeRolePolicyDocument: trusting({ AWS: '*' }) }
    expect(await iam('CreateRole', { ...role, PermissionsBoundary: PolicyArn }, who)).toBe('NoSuchEntity')
  })

  test.each([
    'BOSS',
    'Boss',
    'boss ',
    'boss/',
    '../boss',
    'bo\u{017F}s',
    'bos\u0000s',
    '%62oss',
    'admin/boss',
  ])('no user is found under %j', async UserName => {
    const who = await mallory(
      { Action: 'iam:*' },
      { Effect: 'Deny', Action: '*', Resource: `${ACCOUNT}:user/*boss` },
    )
    const answers = await Promise.all([
      iam('CreateAccessKey', { UserName }, who),
      iam('AttachUserPolicy', { UserName, PolicyArn: ADMINISTRATOR }, who),
    ])
    for (const code of answers) expect(['NoSuchEntity', 'ValidationError', 'AccessDenied']).toContain(code)
    expect(await api.store.accessKeys.listForUser(scope, 'boss')).toEqual([])
  })

  test('cannot take away the boundary that holds them, or step out of it by a role', async () => {
    const boundary = 'arn:aws:iam::aws:policy/ReadOnlyAccess'
    const who = await mallory({ Action: '*' })
    const UserName = hostile.name
    await ok('PutUserPermissionsBoundary', { UserName, PermissionsBoundary: boundary })
    for (const [action, input] of [
      ['DeleteUserPermissionsBoundary', { UserName }],
      ['PutUserPermissionsBoundary', { UserName, PermissionsBoundary: ADMINISTRATOR }],
      ['CreateAccessKey', { UserName: 'admin' }],
      ['UpdateUser', { UserName, NewUserName: 'free' }],
    ] as Array<[string, Record<string, string>]>) {
      expect(await iam(action, input, who)).toBe('AccessDenied')
    }
    const boss = { RoleArn: `${ACCOUNT}:role/Boss`, RoleSessionName: 'session' }
    expect((await sts('AssumeRole', boss, who)).code).toBe('AccessDenied')
  })
})

test('whoever may try what somebody could do is told the outcome, not the policies', async () => {
  const secret = document({
    Action: 'ssm:StartSession',
    Condition: { StringEquals: { 'aws:PrincipalTag/team': 'swordfish' } },
  })
  await api.user('target', {
    policies: [document({ Action: 'ssm:Get*', Resource: 'arn:aws:ssm:*:*:x-swordfish' }), secret],
  })
  const input = {
    PolicySourceArn: `${ACCOUNT}:user/target`,
    'ActionNames.member.1': 'ssm:StartSession',
    'ActionNames.member.2': 'ssm:GetDocument',
    'ResourceArns.member.1': 'arn:aws:ssm:us-east-1:123456789012:x-swordfish',
  }
  const simulates = { Action: 'iam:SimulatePrincipalPolicy' }
  const blind = await ok('SimulatePrincipalPolicy', input, await mallory(simulates))
  const text = String(blind.body.text).replaceAll(
    '<EvalResourceName>arn:aws:ssm:us-east-1:123456789012:x-swordfish<',
    '',
  )
  expect(text).toContain('<EvalDecision>allowed</EvalDecision>')
  expect(text).toContain('<SourcePolicyId>user_target_policy-0</SourcePolicyId>')
  expect(text).not.toContain('swordfish')
  const reads = await mallory({ Action: ['iam:SimulatePrincipalPolicy', 'iam:GetUserPolicy'] })
  expect(String((await ok('SimulatePrincipalPolicy', input, reads)).body.text)).toContain('swordfish')
})

describe('what people choose themselves', () => {
  test.each(['*', '?', '${aws:username}', 'a*', 'admin:x'])(
    'is text where a variable stands: %s',
    async value => {
      const who = await mallory({
        Action: 'ssm:GetDocument',
        Resource: 'arn:aws:ssm:*:*:document/${aws:PrincipalTag/team}-x',
      })
      await api.store.tags.add(scope, 'User', hostile.name, [{ Key: 'team', Value: value }])
      api.accessCache.forget()
      expect(await api.code('GetDocument', { Name: 'ops-x' }, who)).toBe('AccessDeniedException')
    },
  )

  test.each(['s*', 's/../x', 'a:b', '${aws:username}', 'x'.repeat(65), 's\n'])(
    'is refused as the name of a session: %j',
    async RoleSessionName => {
      const who = await mallory({ Action: 'sts:AssumeRole' })
      const answer = await sts('AssumeRole', { RoleArn: `${ACCOUNT}:role/Boss`, RoleSessionName }, who)
      expect(answer.code).toBe('ValidationError')
    },
  )

  test('a tag cannot stand for a fact: where a request comes from, who makes it, whose session it is', async () => {
    const node = await api.onlineNode()
    const tagging = await mallory({ Action: 'ssm:AddTagsToResource' })
    const set = (Key: string) =>
      api.code(
        'AddTagsToResource',
        { ResourceType: 'ManagedInstance', ResourceId: node, Tags: [{ Key, Value: 'v' }] },
        tagging,
      )
    for (const key of ['aws:ssmmessages:session-id', 'AWS:x', 'aws:SourceIp', 'Aws:username']) {
      expect(await set(key)).toBe('ValidationException')
    }
    for (const key of ['ssm:resourceTag/aws:ssmmessages:session-id', '__proto__', 'constructor', ' aws:x']) {
      expect(await set(key)).toBe('')
    }
    const own = await mallory({
      Action: 'ssm:TerminateSession',
      Condition: { StringLike: { 'ssm:resourceTag/aws:ssmmessages:session-id': '${aws:userid}' } },
    })
    const { SessionId } = await api.ok('StartSession', { Target: node })
    expect(await api.code('TerminateSession', { SessionId }, own)).toBe('AccessDeniedException')
  })

  test('session tags cannot be named to change what everybody inherits', async () => {
    await ok('CreateRole', { RoleName: 'Tagged', AssumeRolePolicyDocument: trusting({ AWS: '*' }) })
    const who = await mallory({ Action: ['sts:AssumeRole', 'sts:TagSession'] })
    const tag = { 'Tags.member.1.Key': '__proto__', 'Tags.member.1.Value': 'x' }
    const session = await assumed({ RoleArn: `${ACCOUNT}:role/Tagged`, ...tag }, who)
    expect((await sts('GetCallerIdentity', {}, session)).status).toBe(200)
    expect(({} as Record<string, unknown>).x).toBeUndefined()
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('polluted')
  })
})

describe('what is written so that it is read twice', () => {
  test.each([
    'Action=GetUser&Version=2010-05-08&UserName=admin&UserName=boss',
    'Action=GetUser&Action=DeleteUser&Version=2010-05-08&UserName=boss',
    'Action=GetUser&Version=2010-05-08&Version=2011-06-15&UserName=boss',
    'Action=TagUser&Version=2010-05-08&UserName=boss&Tags.member.1.Key=a&Tags.member.1=x&Tags.member.1.Value=b',
  ])('a form with one name twice: %s', async body => {
    const { code } = await hostile.form('iam', body, api.administrator)
    expect(code).toBe('MalformedQueryString')
  })

  test.each([
    [
      '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}',
      'twice',
    ],
    [
      '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","__proto__":{}}}',
      '__proto__',
    ],
    [`${'['.repeat(100_000)}`, 'nested'],
    [
      '{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"*","Action":"*","Resource":"*"}}',
      'both',
    ],
    [
      '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEqualz":{"a:b":"c"}}}}',
      'StringEqualz',
    ],
    [
      '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"constructor":{"a:b":"c"}}}}',
      'constructor',
    ],
    [
      '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}',
      'Principal',
    ],
  ])('a policy: %.100s', async (PolicyDocument, why) => {
    const answer = await api.iam('CreatePolicy', { PolicyName: 'Bad', PolicyDocument })
    expect(answer.code).toMatch(/MalformedPolicyDocument|LimitExceeded/)
    if (answer.code === 'MalformedPolicyDocument') expect(answer.message).toContain(why)
  })

  test('names of members that every object has', async () => {
    const node = await api.onlineNode()
    const input = `{"__proto__":{"Target":"${node}"},"constructor":{"x":1},"Target":"mi-00000000000000000","toString":null}`
    expect(await api.code('StartSession', input)).toBe('TargetNotConnected')
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      expect(await api.code(name, {})).toBe('UnknownOperationException')
      expect(await iam(name, {}, api.administrator)).toBe('InvalidAction')
    }
  })
})
