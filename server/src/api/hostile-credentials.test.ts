import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ACCOUNT, ADMINISTRATOR, document, HostileApi, trusting } from './hostile-testing.ts'
import { type ApiForTest, nodeKeys, read } from './testing.ts'

// Credentials that are somebody else's, or nobody's any more, or good for something else (security-cases.md 5, 19, 44).

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
  await ok('CreateRole', { RoleName: 'Boss', AssumeRolePolicyDocument: trusting({ AWS: '123456789012' }) })
  await ok('AttachRolePolicy', { RoleName: 'Boss', PolicyArn: ADMINISTRATOR })
})
afterAll(() => api.dispose())

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
  const UserName = hostile.name
  const boss = await assumed({ RoleArn: `${ACCOUNT}:role/Boss` }, who)
  const node = await api.onlineNode()
  const { SessionId } = await api.ok('StartSession', { Target: node }, boss)
  await ok('DeleteAccessKey', { UserName, AccessKeyId: who.accessKeyId })
  await ok('DeleteUserPolicy', { UserName, PolicyName: 'policy-0' })
  await ok('DeleteUser', { UserName })
  // A new user of the same name is somebody else.
  await ok('CreateUser', { UserName })
  for (const credentials of [boss, who]) {
    expect(await api.code('ResumeSession', { SessionId }, credentials)).toBe('UnrecognizedClientException')
    expect(
      (await sts('AssumeRole', { RoleArn: `${ACCOUNT}:role/Boss`, RoleSessionName: 'session' }, credentials))
        .code,
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
