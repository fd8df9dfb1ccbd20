import { afterAll, beforeAll, expect, test } from 'vitest'
import { addPerson, jsonFile } from './people.ts'
import { aws2 } from './remote-shell.ts'
import { type Stack, startStack } from './stack.ts'
import { run } from './terminal.ts'

// Roles and instance profiles as AWS's guides set them up, with the real aws CLI: the commands are theirs, with only
// --endpoint-url added.

const CORE = 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore'
const trustPolicy = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }],
}

let stack: Stack
let account: string

beforeAll(async () => {
  stack = await startStack({ nodes: 0 })
  await jsonFile(stack, 'trust-policy', trustPolicy)
  account = (await aws('sts', 'get-caller-identity')).Account
})
afterAll(() => stack?.[Symbol.asyncDispose]())

/** As somebody who stands in the folder with the files. */
const awsCli = (args: readonly string[], { env = stack.env } = {}) => {
  return run(aws2, [...args, '--endpoint-url', stack.endpoint, '--output', 'json'], {
    env,
    cwd: stack.directory,
  })
}
// biome-ignore lint/suspicious/noExplicitAny: JSON of whatever operation was called
const aws = async (...args: string[]): Promise<any> => {
  const { code, stdout, stderr } = await awsCli(args)
  if (code !== 0) throw new Error(`aws ${args.join(' ')}: ${stderr}`)
  return stdout.trim() === '' ? undefined : JSON.parse(stdout)
}
/** What the CLI prints when it fails, which it must. */
const refused = async (...args: string[]): Promise<string> => {
  const { code, stderr } = await awsCli(args)
  expect([args.join(' '), code]).not.toEqual([args.join(' '), 0])
  return stderr.trim()
}

test('the role and the instance profile of the guide are made as it says', async () => {
  const made = await aws(
    ...['iam', 'create-role', '--role-name', 'EC2SSMRole'],
    ...['--assume-role-policy-document', 'file://trust-policy.json'],
  )
  expect(made.Role).toMatchObject({
    Path: '/',
    RoleName: 'EC2SSMRole',
    RoleId: expect.stringMatching(/^AROA[A-Z2-7]{16}$/),
    Arn: `arn:aws:iam::${account}:role/EC2SSMRole`,
    AssumeRolePolicyDocument: trustPolicy,
  })
  expect(new Date(made.Role.CreateDate).getTime()).toBeGreaterThan(Date.now() - 60_000)
  expect(
    await aws('iam', 'attach-role-policy', '--role-name', 'EC2SSMRole', '--policy-arn', CORE),
  ).toBeUndefined()
  const profile = await aws('iam', 'create-instance-profile', '--instance-profile-name', 'EC2SSMRole')
  expect(profile.InstanceProfile).toMatchObject({
    InstanceProfileId: expect.stringMatching(/^AIPA/),
    Arn: `arn:aws:iam::${account}:instance-profile/EC2SSMRole`,
    Roles: [],
  })
  const names = ['--instance-profile-name', 'EC2SSMRole', '--role-name', 'EC2SSMRole']
  expect(await aws('iam', 'add-role-to-instance-profile', ...names)).toBeUndefined()

  await aws('iam', 'wait', 'role-exists', '--role-name', 'EC2SSMRole')
  await aws('iam', 'wait', 'instance-profile-exists', '--instance-profile-name', 'EC2SSMRole')
  const { Role } = await aws('iam', 'get-role', '--role-name', 'EC2SSMRole')
  expect(Role).toMatchObject({ ...made.Role, MaxSessionDuration: 3600, RoleLastUsed: {} })
  expect(await aws('iam', 'list-attached-role-policies', '--role-name', 'EC2SSMRole')).toEqual({
    AttachedPolicies: [{ PolicyName: 'AmazonSSMManagedInstanceCore', PolicyArn: CORE }],
  })
  const shown = await aws('iam', 'get-instance-profile', '--instance-profile-name', 'EC2SSMRole')
  expect(shown.InstanceProfile.Roles).toEqual([expect.objectContaining({ RoleName: 'EC2SSMRole' })])
  expect(shown.InstanceProfile.Roles[0].AssumeRolePolicyDocument).toEqual(trustPolicy)
})

test('errors are those of AWS, on the line that scripts look for', async () => {
  await aws(
    ...['iam', 'create-role', '--role-name', 'Known'],
    ...['--assume-role-policy-document', 'file://trust-policy.json'],
  )
  await aws('iam', 'create-instance-profile', '--instance-profile-name', 'Known')
  const known = ['--instance-profile-name', 'Known', '--role-name', 'Known']
  await aws('iam', 'add-role-to-instance-profile', ...known)
  const create = ['iam', 'create-role', '--assume-role-policy-document', 'file://trust-policy.json']
  expect(await refused(...create, '--role-name', 'Known')).toBe(
    'An error occurred (EntityAlreadyExists) when calling the CreateRole operation: Role with name Known already exists.',
  )
  expect(await refused('iam', 'get-role', '--role-name', 'Nobody')).toBe(
    'An error occurred (NoSuchEntity) when calling the GetRole operation: The role with name Nobody cannot be found.',
  )
  expect(await refused('iam', 'delete-role', '--role-name', 'Known')).toBe(
    'An error occurred (DeleteConflict) when calling the DeleteRole operation: Cannot delete entity, must remove roles from instance profile first.',
  )
  expect(await refused('iam', 'add-role-to-instance-profile', ...known)).toBe(
    'An error occurred (LimitExceeded) when calling the AddRoleToInstanceProfile operation: Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1',
  )
  expect(
    await refused('iam', 'create-role', '--role-name', 'New', '--assume-role-policy-document', '{"Statement'),
  ).toMatch(/^An error occurred \(MalformedPolicyDocument\) when calling the CreateRole operation: .*line 1/)
  expect(await refused(...create, '--role-name', 'a*')).toMatch(
    /^An error occurred \(ValidationError\) when calling the CreateRole operation: 1 validation error detected: Value 'a\*' at 'roleName'/,
  )
})

test('what a person may not do is said by the CLI as AWS says it', async () => {
  const bob = await addPerson(stack, 'bob')
  const { code, stderr } = await awsCli(['iam', 'list-roles'], { env: bob.env })
  expect(code).not.toBe(0)
  expect(stderr.trim()).toBe(
    `An error occurred (AccessDenied) when calling the ListRoles operation: User: arn:aws:iam::${account}:user/bob is not authorized to perform: iam:ListRoles on resource: arn:aws:iam::${account}:role/ because no identity-based policy allows the iam:ListRoles action`,
  )
})

test('lists are read page by page, and cut short as people ask', async () => {
  for (const name of ['page-a', 'page-b', 'page-c']) {
    await aws(
      ...['iam', 'create-role', '--role-name', name, '--path', '/pages/'],
      ...['--assume-role-policy-document', 'file://trust-policy.json'],
    )
  }
  const list = ['iam', 'list-roles', '--path-prefix', '/pages/']
  const names = async (...args: string[]) =>
    (await aws(...list, ...args)).Roles.map((role: { RoleName: string }) => role.RoleName)
  expect(await names('--page-size', '1')).toEqual(['page-a', 'page-b', 'page-c'])
  const cut = await aws(...list, '--max-items', '2')
  expect(cut.Roles).toHaveLength(2)
  expect(await names('--starting-token', cut.NextToken)).toEqual(['page-c'])
  expect(await aws(...list, '--query', 'Roles[].Arn')).toEqual(
    ['a', 'b', 'c'].map(letter => `arn:aws:iam::${account}:role/pages/page-${letter}`),
  )
})

test('a role is changed, tagged, bounded, and taken down in AWS order', async () => {
  const role = ['--role-name', 'Short-lived']
  await aws(
    ...['iam', 'create-role', ...role, '--assume-role-policy-document', 'file://trust-policy.json'],
    ...['--tags', 'Key=env,Value=dev', 'Key=team,Value=web', '--permissions-boundary', CORE],
  )
  await aws('iam', 'update-role', ...role, '--description', 'of a day', '--max-session-duration', '43200')
  await aws('iam', 'tag-role', ...role, '--tags', 'Key=ENV,Value=prod')
  await aws('iam', 'untag-role', ...role, '--tag-keys', 'team')
  const { Role } = await aws('iam', 'get-role', ...role)
  expect(Role).toMatchObject({
    Description: 'of a day',
    MaxSessionDuration: 43_200,
    Tags: [{ Key: 'ENV', Value: 'prod' }],
    PermissionsBoundary: { PermissionsBoundaryType: 'Policy', PermissionsBoundaryArn: CORE },
  })
  await aws('iam', 'delete-role-permissions-boundary', ...role)
  const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:Get*', Resource: '*' }] }
  const named = ['--policy-name', 'reads']
  await aws('iam', 'put-role-policy', ...role, ...named, '--policy-document', JSON.stringify(policy))
  expect(await aws('iam', 'get-role-policy', ...role, ...named)).toEqual({
    RoleName: 'Short-lived',
    PolicyName: 'reads',
    PolicyDocument: policy,
  })
  expect(await refused('iam', 'delete-role', ...role)).toMatch(/must delete policies first\.$/)
  await aws('iam', 'delete-role-policy', ...role, ...named)
  await aws('iam', 'delete-role', ...role)
  expect(await refused('iam', 'get-role', ...role)).toMatch(/\(NoSuchEntity\)/)
})
