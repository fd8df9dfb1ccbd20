import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { elements, iam } from '../../query-testing.ts'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

const READ_ONLY = 'arn:aws:iam::aws:policy/ReadOnlyAccess'
const text = (action: string, input: Record<string, string>, credentials = api.administrator) =>
  iam(api, action, input, credentials)
const allow = (action: string, resource: string, condition?: object) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: action, Resource: resource, ...(condition && { Condition: condition }) },
    ],
  })

test('a user is made, shown, found by path, renamed and deleted', async () => {
  const made = await text('CreateUser', {
    UserName: 'Ada',
    Path: '/web/',
    PermissionsBoundary: READ_ONLY,
    'Tags.member.1.Key': 'team',
    'Tags.member.1.Value': 'web',
  })
  expect(made).toMatch(
    /^<CreateUserResponse xmlns="https:\/\/iam\.amazonaws\.com\/doc\/2010-05-08\/"><CreateUserResult><User><Path>\/web\/<\/Path><UserName>Ada<\/UserName><UserId>AIDA[A-Z2-7]{16}<\/UserId><Arn>arn:aws:iam::123456789012:user\/web\/Ada<\/Arn><CreateDate>2026-01-31T12:00:00Z<\/CreateDate>/,
  )
  expect(made).toContain(
    `<PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType><PermissionsBoundaryArn>${READ_ONLY}</PermissionsBoundaryArn></PermissionsBoundary><Tags><member><Key>team</Key><Value>web</Value></member></Tags>`,
  )
  const shown = await text('GetUser', { UserName: 'Ada' })
  expect(elements(shown, 'User')).toEqual(elements(made, 'User'))
  expect(elements(await text('ListUsers', { PathPrefix: '/web/' }), 'UserName')).toEqual(['Ada'])
  expect(elements(await text('ListUsers', { PathPrefix: '/we' }), 'UserName')).toEqual(['Ada'])
  expect(elements(await text('ListUsers', {}), 'UserName')).toEqual(['Ada', 'admin'])
  expect(await text('ListUsers', {})).not.toContain('<Tags>')

  await text('UpdateUser', { UserName: 'Ada', NewUserName: 'grace', NewPath: '/ops/' })
  const renamed = await text('GetUser', { UserName: 'grace' })
  expect(elements(renamed, 'Arn')).toEqual(['arn:aws:iam::123456789012:user/ops/grace'])
  expect(elements(renamed, 'UserId')).toEqual(elements(made, 'UserId'))
  expect(elements(renamed, 'Value')).toEqual(['web'])
  expect(await api.iam('GetUser', { UserName: 'Ada' })).toMatchObject({
    status: 404,
    code: 'NoSuchEntity',
    message: 'The user with name Ada cannot be found.',
  })
  await text('DeleteUserPermissionsBoundary', { UserName: 'grace' })
  expect(await text('GetUser', { UserName: 'grace' })).not.toContain('PermissionsBoundary')
  expect((await api.iam('DeleteUserPermissionsBoundary', { UserName: 'grace' })).code).toBe('NoSuchEntity')
  expect(await text('DeleteUser', { UserName: 'grace' })).toMatch(/^<DeleteUserResponse .*<RequestId>/)
  expect((await api.iam('DeleteUser', { UserName: 'grace' })).code).toBe('NoSuchEntity')
})

test('who names nobody means himself', async () => {
  const alice = await api.user('alice')
  expect(elements(await text('GetUser', {}, alice), 'UserName')).toEqual(['alice'])
  expect(elements(await text('GetUser', {}), 'UserName')).toEqual(['admin'])
})

test('a role is nobody who could mean himself', async () => {
  const { accessKeyId: longTermKeyId } = api.administrator
  const admin = await api.store.users.get(scope, 'admin')
  const role = await api.store.roles.get(scope, 'SSMServiceRole')
  const credentials = api.sessionCredentials.issue(
    {
      kind: 'role',
      arn: 'arn:aws:sts::123456789012:assumed-role/SSMServiceRole/s',
      userId: `${role?.roleId}:s`,
      roleArn: 'arn:aws:iam::123456789012:role/SSMServiceRole',
      roleName: 'SSMServiceRole',
      sessionName: 's',
      source: { userName: 'admin', userId: admin?.userId ?? '', longTermKeyId },
      tags: {},
      transitiveTagKeys: [],
    },
    api.now,
  )
  const refusal = {
    code: 'ValidationError',
    message: 'Must specify userName when calling with non-User credentials',
  }
  for (const action of ['GetUser', 'CreateAccessKey', 'ListAccessKeys', 'GetLoginProfile']) {
    expect([action, await api.iam(action, {}, credentials)]).toMatchObject([action, refusal])
  }
  const passwords = { OldPassword: 'a', NewPassword: 'b' }
  expect((await api.iam('ChangePassword', passwords, credentials)).code).toBe('InvalidUserType')
})

test('pages cover every user once, in the order of their names', async () => {
  for (const name of ['p3', 'p1', 'p2']) await text('CreateUser', { UserName: name, Path: '/pages/' })
  const seen: Array<string | undefined> = []
  let more: Record<string, string> = {}
  do {
    const page = await text('ListUsers', { PathPrefix: '/pages/', MaxItems: '2', ...more })
    seen.push(...elements(page, 'UserName'))
    const [marker] = elements(page, 'Marker')
    expect(elements(page, 'IsTruncated')).toEqual([String(marker !== undefined)])
    more = marker === undefined ? {} : { Marker: marker }
  } while (more.Marker !== undefined)
  expect(seen).toEqual(['p1', 'p2', 'p3'])
  expect((await api.iam('ListUsers', { MaxItems: '0' })).code).toBe('ValidationError')
  expect((await api.iam('ListUsers', { MaxItems: '1001' })).code).toBe('ValidationError')
})

test('a name is taken in every spelling; renaming onto it changes nothing', async () => {
  await text('CreateUser', { UserName: 'Taken' })
  expect(await api.iam('CreateUser', { UserName: 'taken' })).toMatchObject({
    status: 409,
    code: 'EntityAlreadyExists',
    message: 'User with name taken already exists.',
  })
  const onto = await api.iam('UpdateUser', { UserName: 'admin', NewUserName: 'TAKEN' })
  expect(onto.code).toBe('EntityAlreadyExists')
  expect(elements(await text('GetUser', {}), 'UserName')).toEqual(['admin'])
})

test('only a managed policy can be a boundary', async () => {
  const boundary = (PermissionsBoundary: string) =>
    api.iam('PutUserPermissionsBoundary', { UserName: 'admin', PermissionsBoundary })
  for (const arn of ['arn:aws:iam::aws:policy/None', 'arn:aws:iam::123456789012:policy/none']) {
    expect(await boundary(arn)).toMatchObject({
      code: 'NoSuchEntity',
      message: `Scope ARN: ${arn} does not exist or is not attachable.`,
    })
  }
  expect((await boundary('short')).code).toBe('ValidationError')
  const nobody = await api.iam('PutUserPermissionsBoundary', {
    UserName: 'nobody',
    PermissionsBoundary: READ_ONLY,
  })
  expect(nobody.code).toBe('NoSuchEntity')
})

test('a boundary acts with the next request', async () => {
  const carol = await api.user('carol')
  expect((await api.iam('CreateGroup', { GroupName: 'by-carol' }, carol)).status).toBe(200)
  await text('PutUserPermissionsBoundary', { UserName: 'carol', PermissionsBoundary: READ_ONLY })
  const bounded = await api.iam('CreateGroup', { GroupName: 'more' }, carol)
  expect(bounded.message).toContain('because no permissions boundary allows the iam:CreateGroup action')
  expect((await api.iam('ListUsers', {}, carol)).status).toBe(200)
})

describe('hostile names', () => {
  const longest = 'x'.repeat(64)

  test.each(['../admin', 'ad*min', 'ad?min', 'a:b', 'a/b', 'ünï', 'a b', '', `${longest}x`, 'a\n', '%2e%2e'])(
    'no user is called %j',
    async UserName => {
      expect(await api.iam('CreateUser', { UserName })).toMatchObject({
        status: 400,
        code: 'ValidationError',
      })
      const renamed = await api.iam('UpdateUser', { UserName: 'admin', NewUserName: UserName })
      expect(renamed.code).toBe('ValidationError')
    },
  )

  test.each(['__proto__', 'constructor', 'toString', longest, '..', '=+,.@-_'])(
    '%s is a name like any other',
    async UserName => {
      expect((await api.iam('GetUser', { UserName })).code).toBe('NoSuchEntity')
      await text('CreateUser', { UserName })
      const shown = await text('GetUser', { UserName })
      expect(elements(shown, 'Arn')).toEqual([`arn:aws:iam::123456789012:user/${UserName}`])
      await text('DeleteUser', { UserName })
    },
  )

  test.each(['web', '/web', 'web/', '/we b/', '/ä/', `/${'x'.repeat(511)}/`])('%j is no path', async Path => {
    expect((await api.iam('CreateUser', { UserName: 'paths', Path })).code).toBe('ValidationError')
  })

  test('parts of the query that are no members change nothing', async () => {
    const answer = await api.iam('CreateUser', {
      UserName: 'plain',
      '__proto__.Path': '/x/',
      'constructor.prototype.Path': '/x/',
    })
    expect(answer.body.text).toContain('<Path>/</Path>')
    expect(({} as { Path?: string }).Path).toBeUndefined()
  })
})

describe('what policies are asked', () => {
  test('the ARN has the path that the user has; one who is not there has none', async () => {
    await text('CreateUser', { UserName: 'deep', Path: '/web/deep/' })
    const arn = 'arn:aws:iam::123456789012:user'
    const reader = await api.user('reader', { policies: [allow('iam:GetUser', `${arn}/web/*`)] })
    expect((await api.iam('GetUser', { UserName: 'deep' }, reader)).status).toBe(200)
    const other = await api.iam('GetUser', { UserName: 'admin' }, reader)
    expect(other).toMatchObject({ status: 403, code: 'AccessDenied' })
    expect(other.message).toContain(`iam:GetUser on resource: ${arn}/admin because`)
    // Whether somebody exists is not told to those who may not see him.
    const nobody = await api.iam('GetUser', { UserName: 'nobody' }, reader)
    expect(nobody.message).toContain(`iam:GetUser on resource: ${arn}/nobody because`)
  })

  test('a rename needs both, the user as it is and as it will be', async () => {
    await text('CreateUser', { UserName: 'mover', Path: '/a/' })
    const arn = 'arn:aws:iam::123456789012:user'
    const one = await api.user('one', { policies: [allow('iam:UpdateUser', `${arn}/a/*`)] })
    const into = await api.iam('UpdateUser', { UserName: 'mover', NewPath: '/b/' }, one)
    expect(into.message).toContain(`iam:UpdateUser on resource: ${arn}/b/mover`)
    expect((await api.iam('UpdateUser', { UserName: 'mover', NewUserName: 'moved' }, one)).status).toBe(200)
    // Nobody takes over the name of a user whom he may not touch, nor brings that one under his own path.
    const taken = await api.iam('UpdateUser', { UserName: 'admin', NewPath: '/a/' }, one)
    expect(taken.message).toContain(`iam:UpdateUser on resource: ${arn}/admin`)
  })

  test('tags: of the user, of the request, and to tag at all', async () => {
    await text('CreateUser', {
      UserName: 'tagged',
      'Tags.member.1.Key': 'Team',
      'Tags.member.1.Value': 'web',
    })
    const web = { StringEquals: { 'iam:ResourceTag/team': 'web' } }
    const lead = await api.user('lead', { policies: [allow('iam:*AccessKey*', '*', web)] })
    expect((await api.iam('ListAccessKeys', { UserName: 'tagged' }, lead)).status).toBe(200)
    expect((await api.iam('ListAccessKeys', { UserName: 'admin' }, lead)).code).toBe('AccessDenied')

    const requested = { StringEquals: { 'aws:RequestTag/team': 'web' } }
    const own = { 'Tags.member.1.Key': 'team', 'Tags.member.1.Value': 'web' }
    const maker = await api.user('maker', { policies: [allow('iam:CreateUser', '*', requested)] })
    const without = await api.iam('CreateUser', { UserName: 'made' }, maker)
    expect(without.code).toBe('AccessDenied')
    const untaggable = await api.iam('CreateUser', { UserName: 'made', ...own }, maker)
    expect(untaggable.message).toContain('iam:TagUser on resource: arn:aws:iam::123456789012:user/made')
    await api.givePolicies({ ownerType: 'user', ownerName: 'maker' }, [allow('iam:*User', '*', requested)])
    expect((await api.iam('CreateUser', { UserName: 'made', ...own }, maker)).status).toBe(200)

    const keys = { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['color'] } }
    const painter = await api.user('painter', { policies: [allow('iam:*tagUser', '*', keys)] })
    const untag = (key: string) =>
      api.iam('UntagUser', { UserName: 'made', 'TagKeys.member.1': key }, painter)
    expect((await untag('color')).status).toBe(200)
    expect((await untag('team')).code).toBe('AccessDenied')
  })

  test('users are made within a boundary only, which nobody without permission takes off', async () => {
    const within = { StringEquals: { 'iam:PermissionsBoundary': READ_ONLY } }
    const actions = ['CreateUser', 'PutUserPermissionsBoundary', 'DeleteUser']
    const delegate = await api.user('delegate', {
      policies: [allow(`iam:${actions[0]}`, '*', within), allow(`iam:${actions[1]}`, '*', within)],
    })
    const create = (more: Record<string, string>) =>
      api.iam('CreateUser', { UserName: 'bounded', ...more }, delegate)
    expect((await create({})).code).toBe('AccessDenied')
    const other = 'arn:aws:iam::aws:policy/AdministratorAccess'
    expect((await create({ PermissionsBoundary: other })).code).toBe('AccessDenied')
    expect((await create({ PermissionsBoundary: READ_ONLY })).status).toBe(200)
    const put = (PermissionsBoundary: string) =>
      api.iam('PutUserPermissionsBoundary', { UserName: 'bounded', PermissionsBoundary }, delegate)
    expect((await put(other)).code).toBe('AccessDenied')
    expect((await put(READ_ONLY)).status).toBe(200)
    const off = await api.iam('DeleteUserPermissionsBoundary', { UserName: 'bounded' }, delegate)
    expect(off.code).toBe('AccessDenied')
  })

  test('one who has a policy variable in his name reaches nothing but himself', async () => {
    const self = allow('iam:GetUser', `arn:aws:iam::123456789012:user/\${aws:username}`)
    const eve = await api.user('eve', { policies: [self] })
    expect((await api.iam('GetUser', {}, eve)).status).toBe(200)
    expect((await api.iam('GetUser', { UserName: 'eve.x' }, eve)).code).toBe('AccessDenied')
    expect((await api.iam('GetUser', { UserName: 'EVE' }, eve)).code).toBe('AccessDenied')
  })
})

describe('a user goes last', () => {
  test('after keys, groups and policies, each named in its turn', async () => {
    await api.user('leaver', { policies: [READ_ONLY, allow('ssm:*', '*')] })
    await text('CreateGroup', { GroupName: 'leavers' })
    await text('AddUserToGroup', { GroupName: 'leavers', UserName: 'leaver' })
    const [accessKeyId = ''] = elements(await text('ListAccessKeys', { UserName: 'leaver' }), 'AccessKeyId')
    const refusal = async () => {
      const { status, code, message } = await api.iam('DeleteUser', { UserName: 'leaver' })
      return status === 200 ? 'gone' : `${status} ${code} ${message}`
    }
    const conflict = '409 DeleteConflict Cannot delete entity, must'
    expect(await refusal()).toBe(`${conflict} delete access keys first.`)
    await text('DeleteAccessKey', { UserName: 'leaver', AccessKeyId: accessKeyId })
    expect(await refusal()).toBe(`${conflict} remove users from group first.`)
    await text('RemoveUserFromGroup', { GroupName: 'leavers', UserName: 'leaver' })
    expect(await refusal()).toBe(`${conflict} detach all policies first.`)
    await text('DetachUserPolicy', { UserName: 'leaver', PolicyArn: READ_ONLY })
    expect(await refusal()).toBe(`${conflict} delete policies first.`)
    await text('DeleteUserPolicy', { UserName: 'leaver', PolicyName: 'policy-1' })
    await text('CreateLoginProfile', { UserName: 'leaver', Password: 'Correct horse 1' })
    expect(await refusal()).toBe(`${conflict} delete login profile first.`)
    await text('DeleteLoginProfile', { UserName: 'leaver' })
    expect(await refusal()).toBe('gone')
  })

  test('and one of that name who comes later has nothing of the former', async () => {
    await text('CreateUser', { UserName: 'again' })
    await text('TagUser', {
      UserName: 'again',
      'Tags.member.1.Key': 'SSMSessionRunAs',
      'Tags.member.1.Value': 'root',
    })
    const [first] = elements(await text('GetUser', { UserName: 'again' }), 'UserId')
    await text('DeleteUser', { UserName: 'again' })
    const second = await text('CreateUser', { UserName: 'again' })
    expect(elements(second, 'UserId')).not.toEqual([first])
    expect(await text('ListUserTags', { UserName: 'again' })).not.toContain('root')
  })
})

test('what the account is counted at', async () => {
  const summary = await text('GetAccountSummary', {})
  const entries = Object.fromEntries(
    [...summary.matchAll(/<entry><key>(\w+)<\/key><value>(\d+)<\/value><\/entry>/g)].map(([, key, value]) => [
      key,
      Number(value),
    ]),
  )
  const users = elements(await text('ListUsers', { MaxItems: '1000' }), 'UserName')
  expect(entries).toMatchObject({
    Users: users.length,
    Roles: 1,
    UsersQuota: 5000,
    AccessKeysPerUserQuota: 2,
    PolicySizeQuota: 6144,
  })
  expect(await text('ListAccountAliases', {})).toContain('<IsTruncated>false</IsTruncated>')
  expect(await text('GetAccountPasswordPolicy', {})).toContain('<MinimumPasswordLength>8<')
})
