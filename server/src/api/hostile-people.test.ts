import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testScope as scope } from '../store/testing.ts'
import { type Answer, type ApiForTest, HOST, nodeKeys, openApi, read } from './testing.ts'

// Ways to become more than one is: by names that look like others', by credentials that are somebody else's or nobody's
// any more, by operations that lead to rights in a roundabout way (security-cases.md 5, 19, 35, 36, 44, 45).

const ACCOUNT = 'arn:aws:iam::123456789012'
const ADMINISTRATOR = 'arn:aws:iam::aws:policy/AdministratorAccess'
let api: ApiForTest
let people = 0

beforeAll(async () => {
  api = await openApi()
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

type Statement = {
  Effect?: string
  Action: string | string[]
  Resource?: string | string[]
  Condition?: object
}
const document = (...statements: Statement[]) => {
  const Statement = statements.map(each => ({ Effect: 'Allow', Resource: '*', ...each }))
  return JSON.stringify({ Version: '2012-10-17', Statement })
}
function trusting(Principal: object, Condition: object = {}): string {
  const Statement = { Effect: 'Allow', Principal, Action: ['sts:AssumeRole', 'sts:TagSession'], Condition }
  return JSON.stringify({ Version: '2012-10-17', Statement })
}
const mallory = (...statements: Statement[]): Promise<Credentials> =>
  api.user(`mallory-${++people}`, { policies: [document(...statements)], path: '/dev/' })

async function ok(action: string, input: Record<string, string>, who?: Credentials): Promise<Answer> {
  const answer = await api.iam(action, input, who)
  if (answer.status !== 200) throw new Error(`${action}: ${answer.code}: ${answer.message}`)
  return answer
}
const iam = async (action: string, input: Record<string, string>, who: Credentials) =>
  (await api.iam(action, input, who)).code ?? ''

async function form(service: 'iam' | 'sts', body: string, who: Credentials): Promise<Answer> {
  const headers: Array<[string, string]> = [
    ['Host', HOST],
    ['Content-Type', 'application/x-www-form-urlencoded'],
  ]
  return read(
    await api.handle(api.signed(api.request({ headers, body: Buffer.from(body) }), who, { service })),
  )
}
const sts = (Action: string, input: Record<string, string>, who: Credentials) =>
  form('sts', new URLSearchParams({ Action, Version: '2011-06-15', ...input }).toString(), who)

async function assumed(input: Record<string, string>, who: Credentials): Promise<Credentials> {
  const { status, message, body } = await sts('AssumeRole', { RoleSessionName: 'session', ...input }, who)
  if (status !== 200) throw new Error(message)
  const element = (name: string) => new RegExp(`<${name}>(.*?)</${name}>`).exec(String(body.text))?.[1] ?? ''
  return {
    accessKeyId: element('AccessKeyId'),
    secretAccessKey: element('SecretAccessKey'),
    sessionToken: element('SessionToken'),
  }
}

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
    const UserName = `mallory-${people}`
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
    const UserName = `mallory-${people}`
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

describe('what people choose themselves', () => {
  test.each(['*', '?', '${aws:username}', 'a*', 'admin:x'])(
    'is text where a variable stands: %s',
    async value => {
      const who = await mallory({
        Action: 'ssm:GetDocument',
        Resource: 'arn:aws:ssm:*:*:document/${aws:PrincipalTag/team}-x',
      })
      await api.store.tags.add(scope, 'User', `mallory-${people}`, [{ Key: 'team', Value: value }])
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

describe('credentials', () => {
  test('open nothing in other combinations than they were given in', async () => {
    const who = await mallory({ Action: ['sts:AssumeRole', 'ssm:*'] })
    const boss = await assumed({ RoleArn: `${ACCOUNT}:role/Boss` }, who)
    const node = await api.onlineNode()
    const ofNode = api.asNode(node)
    const channel = api.channelTokens.issue({ kind: 'control', channelId: node, nodeId: node }, api.now)
    for (const mixed of [
      { ...who, sessionToken: boss.sessionToken },
      { ...boss, sessionToken: ofNode.sessionToken },
      { ...ofNode, sessionToken: boss.sessionToken },
      { ...boss, sessionToken: channel },
      { ...boss, sessionToken: `${boss.sessionToken}`.slice(0, -4) },
      { ...boss, sessionToken: '' },
      { accessKeyId: boss.accessKeyId, secretAccessKey: boss.secretAccessKey },
      { ...boss, secretAccessKey: who.secretAccessKey },
    ]) {
      expect((await api.call('DescribeSessions', { State: 'Active' }, mixed)).code).toMatch(
        /UnrecognizedClient|InvalidSignature/,
      )
    }
    expect(await api.code('DescribeSessions', { State: 'Active' }, boss)).toBe('')
  })

  test('of a node do what a node does, for itself, whatever its role may', async () => {
    await ok('AttachRolePolicy', { RoleName: 'SSMServiceRole', PolicyArn: ADMINISTRATOR })
    const [node, other] = [await api.onlineNode(), await api.onlineNode()]
    const stolen = api.asNode(node)
    const { SessionId } = await api.ok('StartSession', { Target: other })
    for (const [operation, input] of [
      ['StartSession', { Target: other }],
      ['ResumeSession', { SessionId }],
      ['TerminateSession', { SessionId }],
      ['DescribeSessions', { State: 'Active' }],
      ['DescribeInstanceInformation', {}],
      ['CreateActivation', { IamRole: 'SSMServiceRole' }],
      ['AddTagsToResource', { ResourceType: 'ManagedInstance', ResourceId: node, Tags: [] }],
      ['UpdateInstanceInformation', { InstanceId: other }],
      ['UpdateManagedInstanceRole', { InstanceId: node, IamRole: 'Boss' }],
      ['RequestManagedInstanceRoleToken', { Fingerprint: 'fingerprint' }],
    ] as Array<[string, object]>) {
      expect(await api.code(operation, input, stolen)).toMatch(/AccessDenied|ValidationException/)
    }
    for (const action of ['ListUsers', 'GetUser', 'CreateAccessKey', 'GetAccountAuthorizationDetails']) {
      expect(await iam(action, {}, stolen)).toBe('AccessDenied')
    }
    const input = { RoleArn: `${ACCOUNT}:role/Boss`, RoleSessionName: 'session' }
    expect((await sts('AssumeRole', input, stolen)).code).toBe('AccessDenied')
    expect((await sts('GetSessionToken', {}, stolen)).code).toBe('AccessDenied')
    // Its key is good for its own credentials alone.
    const signed = (operation: string, given: object) =>
      api.handle(api.rsaSigned(api.jsonRequest(operation, given), node, nodeKeys.privateKey))
    expect(read(await signed('DescribeSessions', { State: 'Active' })).code).toBe('AccessDeniedException')
    expect(read(await signed('UpdateInstanceInformation', { InstanceId: node })).code).toBe(
      'AccessDeniedException',
    )
  })

  test('of a session are held within its policies, also when one of them is deleted', async () => {
    const deny = { Effect: 'Deny', Action: 'ssm:DescribeActivations' }
    const PolicyDocument = document({ Action: 'ssm:*' }, deny)
    await ok('CreatePolicy', { PolicyName: 'Held', PolicyDocument: document(deny) })
    await ok('CreatePolicy', { PolicyName: 'Open', PolicyDocument })
    const who = await mallory({ Action: ['sts:AssumeRole'] })
    const arns = ['Held', 'Open'].map((name, i) => [
      `PolicyArns.member.${i + 1}.arn`,
      `${ACCOUNT}:policy/${name}`,
    ])
    const session = await assumed({ RoleArn: `${ACCOUNT}:role/Boss`, ...Object.fromEntries(arns) }, who)
    expect(await api.code('DescribeSessions', { State: 'Active' }, session)).toBe('')
    expect(await api.code('DescribeActivations', {}, session)).toBe('AccessDeniedException')
    expect(await iam('ListUsers', {}, session)).toBe('AccessDenied')
    await ok('DeletePolicy', { PolicyArn: `${ACCOUNT}:policy/Held` })
    expect(await api.code('DescribeActivations', {}, session)).toBe('AccessDeniedException')
    expect(await api.code('DescribeSessions', { State: 'Active' }, session)).toBe('AccessDeniedException')
  })

  test('of a user who was deleted are good for nothing, nor are those that came of them', async () => {
    const who = await mallory({ Action: '*' })
    const UserName = `mallory-${people}`
    const boss = await assumed({ RoleArn: `${ACCOUNT}:role/Boss` }, who)
    const node = await api.onlineNode()
    const { SessionId } = await api.ok('StartSession', { Target: node }, boss)
    await ok('DeleteAccessKey', { UserName, AccessKeyId: who.accessKeyId })
    await ok('DeleteUserPolicy', { UserName, PolicyName: 'policy-0' })
    await ok('DeleteUser', { UserName })
    // A new user of the same name is somebody else.
    await api.user(UserName)
    for (const credentials of [boss]) {
      expect(await api.code('ResumeSession', { SessionId }, credentials)).toBe('UnrecognizedClientException')
      expect(
        (
          await sts(
            'AssumeRole',
            { RoleArn: `${ACCOUNT}:role/Boss`, RoleSessionName: 'session' },
            credentials,
          )
        ).code,
      ).toBe('InvalidClientTokenId')
      expect(await iam('ListUsers', {}, credentials)).toBe('InvalidClientTokenId')
    }
  })

  test('a session is not resumed by one of the same name in another role', async () => {
    const who = await mallory({ Action: '*' })
    await ok('CreateRole', { RoleName: 'Other', AssumeRolePolicyDocument: trusting({ AWS: '*' }) })
    await ok('AttachRolePolicy', { RoleName: 'Other', PolicyArn: ADMINISTRATOR })
    const one = await assumed({ RoleArn: `${ACCOUNT}:role/Boss`, RoleSessionName: 'shared' }, who)
    const other = await assumed({ RoleArn: `${ACCOUNT}:role/Other`, RoleSessionName: 'shared' }, who)
    const { SessionId } = await api.ok('StartSession', { Target: await api.onlineNode() }, one)
    expect(await api.code('ResumeSession', { SessionId }, other)).toBe('DoesNotExistException')
    expect(await api.code('ResumeSession', { SessionId }, one)).toBe('')
  })
})

describe('what is written so that it is read twice', () => {
  test.each([
    'Action=GetUser&Version=2010-05-08&UserName=admin&UserName=boss',
    'Action=GetUser&Action=DeleteUser&Version=2010-05-08&UserName=boss',
    'Action=GetUser&Version=2010-05-08&Version=2011-06-15&UserName=boss',
    'Action=TagUser&Version=2010-05-08&UserName=boss&Tags.member.1.Key=a&Tags.member.1=x&Tags.member.1.Value=b',
  ])('a form with one name twice: %s', async body => {
    const { code } = await form('iam', body, api.administrator)
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
