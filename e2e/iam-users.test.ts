import {
  AddUserToGroupCommand,
  CreateAccessKeyCommand,
  CreateGroupCommand,
  CreateUserCommand,
  DeleteConflictException,
  DeleteUserCommand,
  EntityAlreadyExistsException,
  GetAccountSummaryCommand,
  GetUserCommand,
  IAMClient,
  LimitExceededException,
  NoSuchEntityException,
  paginateGetGroup,
  paginateListUsers,
  paginateListUserTags,
} from '@aws-sdk/client-iam'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { addPerson, awsWith, iam, withNewKey } from './people.ts'
import { type Stack, startStack } from './stack.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

let stack: Stack

beforeAll(async () => {
  stack = await startStack({ nodes: 0 })
})
afterAll(() => stack[Symbol.asyncDispose]())

const ACCOUNT = '123456789012'

/** What `aws` says of an operation that is refused; empty if it is not. */
async function refusal(result: Promise<{ code: number | null; stderr: string }>): Promise<string> {
  const { code, stderr } = await result
  return code === 0 ? '' : stderr.trim()
}

test('an administrator brings somebody on board, and lets her go again, with the aws CLI', async () => {
  const { User } = await iam(
    stack,
    'create-user',
    '--user-name',
    'mary',
    '--path',
    '/web/',
    '--tags',
    'Key=team,Value=web',
  )
  expect(User).toMatchObject({
    Path: '/web/',
    UserName: 'mary',
    UserId: expect.stringMatching(/^AIDA[A-Z2-7]{16}$/),
    Arn: `arn:aws:iam::${ACCOUNT}:user/web/mary`,
    Tags: [{ Key: 'team', Value: 'web' }],
  })
  await iam(stack, 'create-group', '--group-name', 'readers')
  const readOnly = ['--policy-arn', 'arn:aws:iam::aws:policy/ReadOnlyAccess']
  await iam(stack, 'attach-group-policy', '--group-name', 'readers', ...readOnly)
  const mary = await withNewKey(stack, 'mary')
  const member = ['--group-name', 'readers', '--user-name', 'mary']

  expect(await refusal(mary.aws('iam', 'list-users'))).toContain(
    `An error occurred (AccessDenied) when calling the ListUsers operation: User: arn:aws:iam::${ACCOUNT}:user/web/mary is not authorized to perform: iam:ListUsers on resource: arn:aws:iam::${ACCOUNT}:user/ because no identity-based policy allows the iam:ListUsers action`,
  )
  await iam(stack, 'add-user-to-group', ...member)
  expect(await refusal(mary.aws('iam', 'list-users'))).toBe('')
  expect(JSON.parse((await mary.aws('iam', 'get-user')).stdout).User.UserName).toBe('mary')
  const { Groups } = await iam(stack, 'list-groups-for-user', '--user-name', 'mary')
  expect(Groups).toMatchObject([{ GroupName: 'readers', Arn: `arn:aws:iam::${ACCOUNT}:group/readers` }])

  await iam(stack, 'update-user', '--user-name', 'mary', '--new-user-name', 'maria', '--new-path', '/')
  const identity = JSON.parse((await mary.aws('sts', 'get-caller-identity')).stdout)
  expect(identity).toEqual({
    UserId: User.UserId,
    Account: ACCOUNT,
    Arn: `arn:aws:iam::${ACCOUNT}:user/maria`,
  })
  expect(await refusal(mary.aws('iam', 'list-users'))).toBe('')

  const used = await iam(stack, 'get-access-key-last-used', '--access-key-id', mary.accessKeyId)
  expect(used).toMatchObject({
    UserName: 'maria',
    AccessKeyLastUsed: { ServiceName: expect.stringMatching(/^(iam|sts)$/), Region: 'us-east-1' },
  })
  const maria = ['--user-name', 'maria']
  expect(await refusal(stack.aws('iam', 'delete-user', ...maria))).toContain(
    'An error occurred (DeleteConflict) when calling the DeleteUser operation: Cannot delete entity, must delete access keys first.',
  )
  await iam(stack, 'delete-access-key', ...maria, '--access-key-id', mary.accessKeyId)
  expect(await refusal(mary.aws('iam', 'list-users'))).toContain('InvalidClientTokenId')
  await iam(stack, 'remove-user-from-group', '--group-name', 'readers', ...maria)
  await iam(stack, 'delete-user', ...maria)
  expect(await refusal(stack.aws('iam', 'get-user', ...maria))).toContain(
    'An error occurred (NoSuchEntity) when calling the GetUser operation: The user with name maria cannot be found.',
  )
})

test('keys are rotated without a moment in which none is good', async () => {
  const first = await addPerson(stack, 'rotating', 'arn:aws:iam::aws:policy/AdministratorAccess')
  const created = JSON.parse((await first.aws('iam', 'create-access-key')).stdout).AccessKey
  const second = awsWith(stack, {
    ...first.env,
    AWS_ACCESS_KEY_ID: created.AccessKeyId,
    AWS_SECRET_ACCESS_KEY: created.SecretAccessKey,
  })
  const listed = JSON.parse((await second('iam', 'list-access-keys')).stdout).AccessKeyMetadata
  expect(listed).toHaveLength(2)
  const old = ['--access-key-id', first.accessKeyId]
  expect(await refusal(second('iam', 'update-access-key', ...old, '--status', 'Inactive'))).toBe('')
  expect(await refusal(first.aws('iam', 'get-user'))).toContain('InvalidClientTokenId')
  expect(await refusal(second('iam', 'delete-access-key', ...old))).toBe('')
  expect(await refusal(second('iam', 'get-user'))).toBe('')
})

test('a login profile takes a good password only, which its owner changes', async () => {
  const own = {
    Effect: 'Allow',
    Action: 'iam:ChangePassword',
    Resource: `arn:aws:iam::*:user/\${aws:username}`,
  }
  const person = await addPerson(stack, 'console', { Version: '2012-10-17', Statement: own })
  const user = ['--user-name', 'console']
  expect(await refusal(stack.aws('iam', 'create-login-profile', ...user, '--password', 'short'))).toContain(
    'An error occurred (PasswordPolicyViolation) when calling the CreateLoginProfile operation: Password should have a minimum length of 8',
  )
  const given = [...user, '--password', 'Correct horse 1', '--password-reset-required']
  const { LoginProfile } = await iam(stack, 'create-login-profile', ...given)
  expect(LoginProfile).toMatchObject({ UserName: 'console', PasswordResetRequired: true })
  const change = (from: string, to: string) =>
    refusal(person.aws('iam', 'change-password', '--old-password', from, '--new-password', to))
  expect(await change('Wrong horse 1', 'Battery staple 2')).toContain('The old password was incorrect.')
  expect(await change('Correct horse 1', 'Battery staple 2')).toBe('')
  const shown = await iam(stack, 'get-login-profile', ...user)
  expect(shown.LoginProfile.PasswordResetRequired).toBe(false)
  expect(stack.server.output).not.toMatch(/horse|staple/)
})

function client(): IAMClient {
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = stack.env
  return new IAMClient({
    endpoint: stack.httpEndpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
  })
}

test('the JavaScript SDK pages through lists and knows the errors by their classes', async () => {
  const sdk = client()
  const names = ['a', 'b', 'c', 'd', 'e'].map(letter => `paged-${letter}`)
  const Tags = ['one', 'two', 'three'].map(Key => ({ Key, Value: 'ä ö' }))
  await sdk.send(new CreateGroupCommand({ GroupName: 'paged' }))
  for (const UserName of names) {
    const { User } = await sdk.send(new CreateUserCommand({ UserName, Path: '/paged/', Tags }))
    expect(User?.CreateDate).toBeInstanceOf(Date)
    await sdk.send(new AddUserToGroupCommand({ GroupName: 'paged', UserName }))
  }
  const pages: Array<Array<string | undefined>> = []
  for await (const page of paginateListUsers({ client: sdk, pageSize: 2 }, { PathPrefix: '/paged/' })) {
    pages.push((page.Users ?? []).map(user => user.UserName))
  }
  expect(pages).toEqual([names.slice(0, 2), names.slice(2, 4), names.slice(4)])
  const members: Array<string | undefined> = []
  for await (const page of paginateGetGroup({ client: sdk, pageSize: 2 }, { GroupName: 'paged' })) {
    expect(page.Group?.GroupName).toBe('paged')
    members.push(...(page.Users ?? []).map(user => user.UserName))
  }
  expect(members).toEqual(names)
  const [UserName = ''] = names
  const tags: Array<string | undefined> = []
  for await (const page of paginateListUserTags({ client: sdk, pageSize: 1 }, { UserName })) {
    tags.push(...(page.Tags ?? []).map(({ Key, Value }) => `${Key}=${Value}`))
  }
  expect(tags).toEqual(['one=ä ö', 'three=ä ö', 'two=ä ö'])

  const thrown = async (sending: Promise<unknown>) => {
    try {
      await sending
    } catch (error) {
      return error
    }
    throw new Error('it was not refused')
  }
  expect(await thrown(sdk.send(new GetUserCommand({ UserName: 'nobody' })))).toBeInstanceOf(
    NoSuchEntityException,
  )
  expect(await thrown(sdk.send(new CreateUserCommand({ UserName: 'PAGED-A' })))).toBeInstanceOf(
    EntityAlreadyExistsException,
  )
  expect(await thrown(sdk.send(new DeleteUserCommand({ UserName })))).toBeInstanceOf(DeleteConflictException)
  const keys = await Promise.allSettled(
    [1, 2, 3].map(() => sdk.send(new CreateAccessKeyCommand({ UserName }))),
  )
  const refused = keys.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
  expect(refused.map(({ reason }) => reason instanceof LimitExceededException)).toEqual([true])
  const { SummaryMap } = await sdk.send(new GetAccountSummaryCommand({}))
  expect(SummaryMap).toMatchObject({ AccessKeysPerUserQuota: 2, UsersQuota: 5000 })
  sdk.destroy()
})

test('administrators who have locked themselves out come back through the server itself', async () => {
  const denied = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Deny', Action: '*', Resource: '*' }],
  }
  const document = JSON.stringify(denied)
  await iam(
    stack,
    'put-user-policy',
    '--user-name',
    'admin',
    '--policy-name',
    'mistake',
    '--policy-document',
    document,
  )
  expect(await refusal(stack.aws('iam', 'list-users'))).toContain(
    'with an explicit deny in an identity-based policy',
  )
  const data = ['--data-dir', stack.dataDirectory]
  const elsewhere = await stack.sallyport('server', 'reset-administrator', ...data, '--region', 'eu-west-1')
  expect([elsewhere.code, elsewhere.stderr]).toEqual([1, expect.stringContaining('--region us-east-1')])

  const told = await stack.sallyport('server', 'reset-administrator', ...data, '--user-name', 'rescue')
  expect([told.code, told.stderr]).toEqual([0, ''])
  const find = (name: string) => new RegExp(`export ${name}=(\\S+)`).exec(told.stdout)?.[1]
  const rescue = awsWith(stack, {
    ...stack.env,
    AWS_ACCESS_KEY_ID: find('AWS_ACCESS_KEY_ID'),
    AWS_SECRET_ACCESS_KEY: find('AWS_SECRET_ACCESS_KEY'),
  })
  const mistake = ['--user-name', 'admin', '--policy-name', 'mistake']
  expect(await refusal(rescue('iam', 'delete-user-policy', ...mistake))).toBe('')
  expect(await refusal(stack.aws('iam', 'list-users'))).toBe('')
})
