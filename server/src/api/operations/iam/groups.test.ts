import { afterAll, beforeAll, expect, test } from 'vitest'
import { elements, iam } from '../../query-testing.ts'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

const READ_ONLY = 'arn:aws:iam::aws:policy/ReadOnlyAccess'
const text = (action: string, input: Record<string, string>) => iam(api, action, input)

test('a group is made, filled, listed from both sides, renamed, emptied and deleted', async () => {
  const made = await text('CreateGroup', { GroupName: 'devs', Path: '/web/' })
  expect(made).toMatch(
    /<Group><Path>\/web\/<\/Path><GroupName>devs<\/GroupName><GroupId>AGPA[A-Z2-7]{16}<\/GroupId><Arn>arn:aws:iam::123456789012:group\/web\/devs<\/Arn><CreateDate>/,
  )
  for (const UserName of ['u1', 'u2', 'u3']) {
    await text('CreateUser', { UserName })
    await text('AddUserToGroup', { GroupName: 'devs', UserName })
  }
  const first = await text('GetGroup', { GroupName: 'devs', MaxItems: '2' })
  expect(elements(first, 'UserName')).toEqual(['u1', 'u2'])
  expect(first).toContain('<IsTruncated>true</IsTruncated><Marker>u2</Marker>')
  const second = await text('GetGroup', { GroupName: 'devs', Marker: 'u2' })
  expect(elements(second, 'UserName')).toEqual(['u3'])
  expect(elements(await text('ListGroups', { PathPrefix: '/web' }), 'GroupName')).toEqual(['devs'])
  expect(elements(await text('ListGroups', { PathPrefix: '/ops' }), 'GroupName')).toEqual([])

  await text('UpdateGroup', { GroupName: 'devs', NewGroupName: 'Developers', NewPath: '/' })
  const ofUser = await text('ListGroupsForUser', { UserName: 'u1' })
  expect(elements(ofUser, 'Arn')).toEqual(['arn:aws:iam::123456789012:group/Developers'])
  expect((await api.iam('DeleteGroup', { GroupName: 'Developers' })).message).toBe(
    'Cannot delete entity, must remove users from group first.',
  )
  for (const UserName of ['u1', 'u2', 'u3']) {
    await text('RemoveUserFromGroup', { GroupName: 'Developers', UserName })
  }
  await text('AttachGroupPolicy', { GroupName: 'Developers', PolicyArn: READ_ONLY })
  expect((await api.iam('DeleteGroup', { GroupName: 'Developers' })).message).toBe(
    'Cannot delete entity, must detach all policies first.',
  )
  await text('DetachGroupPolicy', { GroupName: 'Developers', PolicyArn: READ_ONLY })
  await text('DeleteGroup', { GroupName: 'Developers' })
  expect((await api.iam('GetGroup', { GroupName: 'Developers' })).message).toBe(
    'The group with name Developers cannot be found.',
  )
})

test('what a group may its users may, from one request to the next', async () => {
  const member = await api.user('member', { policies: [] })
  await text('CreateGroup', { GroupName: 'readers' })
  await text('AttachGroupPolicy', { GroupName: 'readers', PolicyArn: READ_ONLY })
  const allowed = async () => (await api.iam('ListUsers', {}, member)).status === 200
  expect(await allowed()).toBe(false)
  await text('AddUserToGroup', { GroupName: 'readers', UserName: 'member' })
  expect(await allowed()).toBe(true)
  await text('UpdateGroup', { GroupName: 'readers', NewGroupName: 'lookers' })
  expect(await allowed()).toBe(true)
  await text('UpdateUser', { UserName: 'member', NewUserName: 'looker' })
  expect(await allowed()).toBe(true)
  await text('RemoveUserFromGroup', { GroupName: 'lookers', UserName: 'looker' })
  expect(await allowed()).toBe(false)
})

test('a user is in ten groups at most, also when all come at once', async () => {
  await text('CreateUser', { UserName: 'joiner' })
  const names = Array.from({ length: 12 }, (_, i) => `many-${i}`)
  for (const GroupName of names) await text('CreateGroup', { GroupName })
  const answers = await Promise.all(
    names.map(GroupName => api.iam('AddUserToGroup', { GroupName, UserName: 'joiner' })),
  )
  const refused = answers.filter(({ status }) => status !== 200)
  expect(refused).toHaveLength(2)
  expect(refused[0]).toMatchObject({
    code: 'LimitExceeded',
    message: 'Cannot exceed quota for GroupsPerUser: 10',
  })
})

test('what is not there, and what is there already', async () => {
  await text('CreateGroup', { GroupName: 'Once' })
  expect(await api.iam('CreateGroup', { GroupName: 'ONCE' })).toMatchObject({
    code: 'EntityAlreadyExists',
    message: 'Group with name ONCE already exists.',
  })
  for (const [action, input] of [
    ['GetGroup', { GroupName: 'none' }],
    ['UpdateGroup', { GroupName: 'none' }],
    ['DeleteGroup', { GroupName: 'none' }],
    ['AddUserToGroup', { GroupName: 'none', UserName: 'admin' }],
    ['AddUserToGroup', { GroupName: 'Once', UserName: 'nobody' }],
    ['RemoveUserFromGroup', { GroupName: 'Once', UserName: 'nobody' }],
    ['ListGroupsForUser', { UserName: 'nobody' }],
  ] as const) {
    expect([action, await api.iam(action, input)]).toMatchObject([
      action,
      { status: 404, code: 'NoSuchEntity' },
    ])
  }
  for (const GroupName of ['../x', 'a*', 'a:b', 'ö', 'x'.repeat(129)]) {
    expect((await api.iam('CreateGroup', { GroupName })).code).toBe('ValidationError')
  }
})

test('who may fill a group by its path may not fill another, nor move one there', async () => {
  await text('CreateGroup', { GroupName: 'free', Path: '/free/' })
  await text('CreateGroup', { GroupName: 'closed' })
  const arn = 'arn:aws:iam::123456789012:group'
  const document = JSON.stringify({
    Version: '2012-10-17',
    Statement: { Effect: 'Allow', Action: 'iam:*Group', Resource: `${arn}/free/*` },
  })
  const filler = await api.user('filler', { policies: [document] })
  const add = (GroupName: string) => api.iam('AddUserToGroup', { GroupName, UserName: 'filler' }, filler)
  expect((await add('free')).status).toBe(200)
  expect((await add('closed')).message).toContain(`iam:AddUserToGroup on resource: ${arn}/closed`)
  const moved = await api.iam('UpdateGroup', { GroupName: 'closed', NewPath: '/free/' }, filler)
  expect(moved.message).toContain(`iam:UpdateGroup on resource: ${arn}/closed`)
  const away = await api.iam('UpdateGroup', { GroupName: 'free', NewPath: '/' }, filler)
  expect(away.message).toContain(`iam:UpdateGroup on resource: ${arn}/free`)
})
