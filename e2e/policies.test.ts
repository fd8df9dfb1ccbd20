import { join } from 'node:path'
import {
  GetAccountAuthorizationDetailsCommand,
  IAMClient,
  SimulateCustomPolicyCommand,
} from '@aws-sdk/client-iam'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addPerson, iam, jsonFile, type Person } from './people.ts'
import { type Stack, startStack } from './stack.ts'
import { run } from './terminal.ts'

// Policies as people work with them: the real aws CLI, the SDK, and `sallyport policy why`.

const READ_ONLY = 'arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess'
const DEV_NODES = {
  Version: '2012-10-17',
  Statement: [
    {
      Sid: 'DevNodes',
      Effect: 'Allow',
      Action: 'ssm:StartSession',
      Resource: 'arn:aws:ssm:*:*:managed-instance/*',
      Condition: { StringEquals: { 'ssm:resourceTag/env': 'dev' } },
    },
    { Sid: 'NoUsers', Effect: 'Deny', Action: 'iam:*User', Resource: '*' },
  ],
}

let stack: Stack
let alice: Person
beforeAll(async () => {
  stack = await startStack()
  await stack.api(
    'add-tags-to-resource',
    ...['--resource-type', 'ManagedInstance', '--resource-id', stack.node.id, '--tags', 'Key=env,Value=dev'],
  )
  alice = await addPerson(stack, 'alice', DEV_NODES)
})
afterAll(() => stack[Symbol.asyncDispose]())

const file = (name: string, content: object | string) => jsonFile(stack, name, content)
const why = (...args: string[]) => stack.sallyport('policy', 'why', ...args)

test('a managed policy with versions is attached, and its default version decides', async () => {
  const bob = await addPerson(stack, 'bob')
  const listing = ['ssm', 'describe-sessions', '--state', 'Active']
  const policy = (action: string) => ({ Statement: { Effect: 'Allow', Action: action, Resource: '*' } })
  const first = await file('v1', policy('ssm:DescribeSessions'))
  const { Policy } = await iam(
    stack,
    'create-policy',
    '--policy-name',
    'Sessions',
    '--policy-document',
    first,
  )
  const arn = ['--policy-arn', Policy.Arn]
  expect((await bob.aws(...listing)).stderr).toContain('(AccessDeniedException)')
  await iam(stack, 'attach-user-policy', '--user-name', 'bob', ...arn)
  expect((await bob.aws(...listing)).code).toBe(0)

  const second = await file('v2', policy('ssm:GetConnectionStatus'))
  await iam(stack, 'create-policy-version', ...arn, '--policy-document', second, '--set-as-default')
  expect((await bob.aws(...listing)).stderr).toContain('(AccessDeniedException)')
  const { Versions } = await iam(stack, 'list-policy-versions', ...arn)
  expect(Versions).toMatchObject([
    { VersionId: 'v2', IsDefaultVersion: true },
    { VersionId: 'v1', IsDefaultVersion: false },
  ])
  await iam(stack, 'set-default-policy-version', ...arn, '--version-id', 'v1')
  expect((await bob.aws(...listing)).code).toBe(0)
  // The CLI shows the document decoded.
  const { PolicyVersion } = await iam(stack, 'get-policy-version', ...arn, '--version-id', 'v2')
  expect(PolicyVersion.Document).toEqual(policy('ssm:GetConnectionStatus'))

  expect((await stack.aws('iam', 'delete-policy', ...arn)).stderr).toContain('(DeleteConflict)')
  await iam(stack, 'detach-user-policy', '--user-name', 'bob', ...arn)
  await iam(stack, 'delete-policy-version', ...arn, '--version-id', 'v2')
  await iam(stack, 'delete-policy', ...arn)
  expect((await bob.aws(...listing)).stderr).toContain('(AccessDeniedException)')
})

test('a malformed policy is refused with the line and the reason', async () => {
  const put = async (text: string) =>
    (
      await stack.aws(
        ...['iam', 'put-user-policy', '--user-name', 'alice', '--policy-name', 'bad'],
        ...['--policy-document', await file('bad', text)],
      )
    ).stderr
  const broken =
    '{\n  "Version": "2012-10-17",\n  "Statement": [\n    { "Effect": "Allow" "Action": "*" }\n  ]\n}\n'
  expect(await put(broken)).toMatch(/\(MalformedPolicyDocument\) .*PutUserPolicy operation: .*line 4/)
  const typo =
    '{\n  "Statement": {\n    "Effect": "Allow", "Action": "ssm:*", "Resource": "*",\n    "Condition": { "StringEqual": { "aws:username": "x" } }\n  }\n}\n'
  expect(await put(typo)).toMatch(/\(MalformedPolicyDocument\).*line 4.*StringEqual/)
  const { PolicyNames } = await iam(stack, 'list-user-policies', '--user-name', 'alice')
  expect(PolicyNames).toEqual(['policy-1'])
})

test('the simulator of the aws CLI answers with statements and missing values', async () => {
  const { EvaluationResults } = await iam(
    stack,
    'simulate-principal-policy',
    ...['--policy-source-arn', 'arn:aws:iam::123456789012:user/alice'],
    ...['--action-names', 'ssm:StartSession', 'iam:CreateUser'],
    ...['--resource-arns', `arn:aws:ssm:us-east-1:123456789012:managed-instance/${stack.node.id}`],
  )
  expect(EvaluationResults).toMatchObject([
    {
      EvalActionName: 'ssm:StartSession',
      EvalDecision: 'implicitDeny',
      MatchedStatements: [],
      MissingContextValues: ['ssm:resourceTag/env'],
    },
    {
      EvalActionName: 'iam:CreateUser',
      EvalDecision: 'explicitDeny',
      MatchedStatements: [{ SourcePolicyId: 'user_alice_policy-1', SourcePolicyType: 'user' }],
    },
  ])
})

test('the whole account is told to the aws CLI', async () => {
  const details = await iam(stack, 'get-account-authorization-details')
  const user = details.UserDetailList.find(({ UserName }: { UserName: string }) => UserName === 'alice')
  expect(user.UserPolicyList).toEqual([{ PolicyName: 'policy-1', PolicyDocument: DEV_NODES }])
  const core = details.Policies.find(
    ({ PolicyName }: { PolicyName: string }) => PolicyName === 'AmazonSSMManagedInstanceCore',
  )
  expect(core.PolicyVersionList).toMatchObject([{ VersionId: 'v2', IsDefaultVersion: true }])
})

test('the SDK reads the same, and passes over what only we tell', async () => {
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = stack.env
  const client = new IAMClient({
    endpoint: stack.httpEndpoint,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
  })
  const simulated = await client.send(
    new SimulateCustomPolicyCommand({
      PolicyInputList: [JSON.stringify(DEV_NODES)],
      ActionNames: ['ssm:StartSession'],
      ResourceArns: ['arn:aws:ssm:us-east-1:1:managed-instance/mi-1'],
      ContextEntries: [
        { ContextKeyName: 'ssm:resourceTag/env', ContextKeyValues: ['dev'], ContextKeyType: 'string' },
      ],
    }),
  )
  expect(simulated.EvaluationResults).toMatchObject([
    {
      EvalDecision: 'allowed',
      MatchedStatements: [{ SourcePolicyId: 'PolicyInputList.1', StartPosition: { Line: 1 } }],
      EvalDecisionDetails: { identity: 'allowed' },
    },
  ])
  const details = await client.send(new GetAccountAuthorizationDetailsCommand({ Filter: ['Role'] }))
  expect(details.RoleDetailList?.map(({ RoleName }) => RoleName)).toContain('SSMServiceRole')
  client.destroy()
})

test('policy why: what is allowed is told with the statement, looked up by names', async () => {
  const { code, stdout, stderr } = await why('alice', 'ssm:StartSession', 'node-1')
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringContaining('sallyport policy why alice ssm:StartSession SSM-SessionManagerRunShell'),
  })
  expect(stdout).toContain(`ALLOWED: arn:aws:iam::123456789012:user/alice may do ssm:StartSession on`)
  expect(stdout).toContain('Statement DevNodes of policy-1 (inline, of user alice) allows it.')
  expect(stdout).toContain('lines 4 to 14')
  expect(stdout).toContain('      "Sid": "DevNodes",')
  expect(stdout).toContain('ssm:resourceTag/env = dev')
})

test('policy why: what is denied is told with what would have to be different', async () => {
  const denied = await why('alice', 'ssm:StartSession', 'node-1', '--context', 'ssm:resourceTag/env=prod')
  expect(denied).toMatchObject({ code: 0, stderr: '' })
  expect(denied.stdout).toContain('DENIED: ')
  expect(denied.stdout).toContain(
    'would allow it, but its condition StringEquals ssm:resourceTag/env "dev" does not hold: it is "prod".',
  )
  const explicit = await why('alice', 'iam:CreateUser', '--exit-code')
  expect(explicit.code).toBe(1)
  expect(explicit.stdout).toContain('Statement NoUsers of policy-1 (inline, of user alice) denies it')
  const json = await why('user/alice', 'ssm:GetDocument', 'AWS-StartSSHSession', '--json')
  expect(JSON.parse(json.stdout)).toMatchObject({
    decision: 'implicitDeny',
    resource: 'arn:aws:ssm:us-east-1::document/AWS-StartSSHSession',
    reason: 'No statement of its policies allows ssm:GetDocument on that.',
    context: { 'ssm:DocumentType': ['Session'] },
    matched: [],
  })
})

test('policy why: roles, groups and sessions of roles, and questions that make no sense', async () => {
  const role = await why('role/SSMServiceRole', 'ssm:UpdateInstanceInformation')
  expect(role.stdout).toContain('of AmazonSSMManagedInstanceCore (AWS managed) allows it')
  const session = 'arn:aws:sts::123456789012:assumed-role/SSMServiceRole/mi-1'
  expect((await why(session, 'ssmmessages:OpenDataChannel')).stdout).toContain(
    'ALLOWED: arn:aws:iam::123456789012:role/SSMServiceRole',
  )
  await iam(stack, 'create-group', '--group-name', 'readers')
  await iam(stack, 'attach-group-policy', '--group-name', 'readers', '--policy-arn', READ_ONLY)
  expect((await why('group/readers', 'ssm:ListDocuments')).stdout).toContain('ALLOWED')
  expect(await why('nobody', 'ssm:StartSession', '*')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('The user with name nobody cannot be found. (NoSuchEntity'),
  })
  expect(await why('alice', 'StartSession', '*')).toMatchObject({ code: 2 })
  expect(await why('alice', 'ssm:StartSession', '*', '--context', 'env')).toMatchObject({ code: 2 })
})

test('who may not look into policies is told so', async () => {
  const sallyport = join(String(stack.env.PATH).split(':')[0] ?? '', 'sallyport')
  const asked = await run(sallyport, ['policy', 'why', 'alice', 'ssm:StartSession'], { env: alice.env })
  expect(asked).toMatchObject({ code: 1, stdout: '' })
  expect(asked.stderr).toContain('is not authorized to perform: iam:GetUser')
})
