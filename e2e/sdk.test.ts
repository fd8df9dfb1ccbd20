import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2'
import * as iam from '@aws-sdk/client-iam'
import {
  DescribeInstanceInformationCommand,
  GetConnectionStatusCommand,
  SSMClient,
} from '@aws-sdk/client-ssm'
import {
  AssumeRoleCommand,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
  STSClient,
} from '@aws-sdk/client-sts'
import { iamOperations } from '@sallyport/protocol/api/iam'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Stack, startStack } from './stack.ts'
import { run } from './terminal.ts'

// Programs that people have written against AWS, with another endpoint: AWS's SDKs for JavaScript and for Python.

const CORE = 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore'
const trustPolicy = (principal: object) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: principal, Action: 'sts:AssumeRole' }],
  })

let stack: Stack
let options: { endpoint: string; region: string; credentials: Credentials; requestHandler: object }
let client: iam.IAMClient
let account: string

type Credentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string }

beforeAll(async () => {
  stack = await startStack()
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = stack.env
  options = {
    endpoint: stack.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
    requestHandler: { httpsAgent: { ca: readFileSync(stack.caFile) } },
  }
  client = new iam.IAMClient(options)
  account = (await new STSClient(options).send(new GetCallerIdentityCommand())).Account ?? ''
})
afterAll(async () => {
  client?.destroy()
  await stack?.[Symbol.asyncDispose]()
})

describe('the SDK for JavaScript', () => {
  /** Waiters of the SDK begin to be impatient after this many seconds. */
  const waiting = () => ({ client, minDelay: 1, maxDelay: 1, maxWaitTime: 20 })

  test('makes users, roles, profiles and policies, and waits until they are there', async () => {
    const made = await client.send(
      new iam.CreateUserCommand({ UserName: 'ada', Tags: [{ Key: 'a', Value: 'b' }] }),
    )
    expect(made.User?.CreateDate).toBeInstanceOf(Date)
    expect((await iam.waitUntilUserExists(waiting(), { UserName: 'ada' })).state).toBe('SUCCESS')

    const AssumeRolePolicyDocument = trustPolicy({ Service: 'ec2.amazonaws.com' })
    await client.send(new iam.CreateRoleCommand({ RoleName: 'Nodes', AssumeRolePolicyDocument }))
    expect((await iam.waitUntilRoleExists(waiting(), { RoleName: 'Nodes' })).state).toBe('SUCCESS')
    const { Role } = await client.send(new iam.GetRoleCommand({ RoleName: 'Nodes' }))
    expect(decodeURIComponent(Role?.AssumeRolePolicyDocument ?? '')).toBe(AssumeRolePolicyDocument)
    await client.send(new iam.UpdateRoleCommand({ RoleName: 'Nodes', Description: 'for nodes' }))

    await client.send(new iam.CreateInstanceProfileCommand({ InstanceProfileName: 'Nodes' }))
    const profile = { InstanceProfileName: 'Nodes' }
    expect((await iam.waitUntilInstanceProfileExists(waiting(), profile)).state).toBe('SUCCESS')
    await client.send(new iam.AddRoleToInstanceProfileCommand({ ...profile, RoleName: 'Nodes' }))
    const { InstanceProfile } = await client.send(new iam.GetInstanceProfileCommand(profile))
    expect(InstanceProfile?.Roles?.map(role => role.RoleName)).toEqual(['Nodes'])

    const Statement = [{ Effect: 'Allow', Action: 'ssm:StartSession', Resource: '*' }]
    const { Policy } = await client.send(
      new iam.CreatePolicyCommand({
        PolicyName: 'Shells',
        PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement }),
      }),
    )
    expect(Policy?.Arn).toBe(`arn:aws:iam::${account}:policy/Shells`)
    expect((await iam.waitUntilPolicyExists(waiting(), { PolicyArn: Policy?.Arn })).state).toBe('SUCCESS')
    await client.send(new iam.AttachUserPolicyCommand({ UserName: 'ada', PolicyArn: Policy?.Arn }))
    const { AttachedPolicies } = await client.send(
      new iam.ListAttachedUserPoliciesCommand({ UserName: 'ada' }),
    )
    expect(AttachedPolicies).toEqual([{ PolicyName: 'Shells', PolicyArn: Policy?.Arn }])
  })

  test('goes through lists with its paginators', async () => {
    for (const RoleName of ['p1', 'p2', 'p3']) {
      const AssumeRolePolicyDocument = trustPolicy({ Service: 'ec2.amazonaws.com' })
      await client.send(new iam.CreateRoleCommand({ RoleName, Path: '/pages/', AssumeRolePolicyDocument }))
    }
    const pages: Array<string | undefined>[] = []
    for await (const page of iam.paginateListRoles({ client, pageSize: 2 }, { PathPrefix: '/pages/' })) {
      pages.push((page.Roles ?? []).map(({ RoleName }) => RoleName))
    }
    expect(pages).toEqual([['p1', 'p2'], ['p3']])
    const policies: Array<string | undefined> = []
    for await (const page of iam.paginateListPolicies({ client, pageSize: 3 }, { Scope: 'AWS' })) {
      expect(page.Policies?.length).toBeLessThanOrEqual(3)
      policies.push(...(page.Policies ?? []).map(({ Arn }) => Arn))
    }
    expect(policies).toContain(CORE)
    expect(new Set(policies).size).toBe(policies.length)
  })

  test('throws the classes of errors that AWS has', async () => {
    const missing = client.send(new iam.GetRoleCommand({ RoleName: 'Nobody' }))
    await expect(missing).rejects.toBeInstanceOf(iam.NoSuchEntityException)
    const PolicyDocument = '{"Version":'
    const malformed = client.send(new iam.CreatePolicyCommand({ PolicyName: 'x', PolicyDocument }))
    await expect(malformed).rejects.toBeInstanceOf(iam.MalformedPolicyDocumentException)
    const held = client.send(new iam.DeleteUserCommand({ UserName: 'ada' }))
    await expect(held).rejects.toBeInstanceOf(iam.DeleteConflictException)
    const taken = client.send(new iam.CreateUserCommand({ UserName: 'ADA' }))
    await expect(taken).rejects.toBeInstanceOf(iam.EntityAlreadyExistsException)
    await expect(taken).rejects.toMatchObject({ $metadata: { httpStatusCode: 409 } })
  })

  test('asks what policies would decide', async () => {
    const { EvaluationResults } = await client.send(
      new iam.SimulatePrincipalPolicyCommand({
        PolicySourceArn: `arn:aws:iam::${account}:user/ada`,
        ActionNames: ['ssm:StartSession', 'ssm:SendCommand'],
      }),
    )
    expect(
      EvaluationResults?.map(({ EvalActionName, EvalDecision }) => [EvalActionName, EvalDecision]),
    ).toEqual([
      ['ssm:StartSession', 'allowed'],
      ['ssm:SendCommand', 'implicitDeny'],
    ])
    const details = await client.send(new iam.GetAccountAuthorizationDetailsCommand({ Filter: ['Role'] }))
    expect(details.RoleDetailList?.map(({ RoleName }) => RoleName)).toContain('Nodes')
  })

  test('lives on temporary credentials as on any others', async () => {
    const AssumeRolePolicyDocument = trustPolicy({ AWS: `arn:aws:iam::${account}:root` })
    await client.send(new iam.CreateRoleCommand({ RoleName: 'Readers', AssumeRolePolicyDocument }))
    const PolicyArn = 'arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess'
    await client.send(new iam.AttachRolePolicyCommand({ RoleName: 'Readers', PolicyArn }))
    const sts = new STSClient(options)
    const RoleArn = `arn:aws:iam::${account}:role/Readers`
    const assumed = await sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'reading' }))
    expect(assumed.Credentials?.Expiration).toBeInstanceOf(Date)
    expect(assumed.AssumedRoleUser?.Arn).toBe(`arn:aws:sts::${account}:assumed-role/Readers/reading`)
    const { AccessKeyId = '', SecretAccessKey = '', SessionToken } = assumed.Credentials ?? {}
    const credentials = {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: SessionToken ?? '',
    }
    const reader = new SSMClient({ ...options, credentials })
    const { InstanceInformationList } = await reader.send(new DescribeInstanceInformationCommand())
    expect(InstanceInformationList?.map(({ InstanceId }) => InstanceId)).toEqual([stack.node.id])
    const denied = new iam.IAMClient({ ...options, credentials }).send(new iam.ListRolesCommand())
    await expect(denied).rejects.toMatchObject({ name: 'AccessDenied' })
    const own = await sts.send(new GetSessionTokenCommand({ DurationSeconds: 900 }))
    expect(own.Credentials?.AccessKeyId).toMatch(/^ASIA/)
  })

  test('sees nodes and instances', async () => {
    const ssm = new SSMClient(options)
    const { Status } = await ssm.send(new GetConnectionStatusCommand({ Target: stack.node.id }))
    expect(Status).toBe('connected')
    const { Reservations } = await new EC2Client(options).send(new DescribeInstancesCommand())
    expect(Reservations).toEqual([])
  })
})

/** One of the scripts beside this file. */
const python = (script: string, { endpoint, env }: Stack, ...args: string[]) => {
  const program = process.env.SALLYPORT_TEST_PYTHON ?? '/usr/bin/python3'
  const file = fileURLToPath(new URL(script, import.meta.url))
  return run(program, [file, endpoint, ...args], { env, timeoutMs: 50_000 })
}

test('a script with boto3 lists nodes, makes roles and waits for them', async () => {
  const { code, stdout, stderr } = await python('sdk_boto3.py', stack, stack.node.id)
  expect(stderr).toBe('')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual({
    identity: `arn:aws:iam::${account}:user/admin`,
    trusted: 'ec2.amazonaws.com',
    inline: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }],
    paged: ['boto-1', 'boto-2', 'boto-3'],
    profileRole: 'boto-1',
    missing: ['NoSuchEntity', 404],
    malformed: 'MalformedPolicyDocument',
    nodes: [stack.node.id],
    status: 'connected',
    instances: 0,
    noInstance: 'InvalidInstanceID.NotFound',
    assumed: 'assumed-role/boto-1/script',
    deleted: 'NoSuchEntity',
  })
})

test('every operation of IAM does with boto3 what it does with AWS', async () => {
  await using fresh = await startStack({ nodes: 0 })
  const { code, stdout, stderr } = await python('sdk_boto3_iam.py', fresh)
  expect(stderr).toBe('')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual(Object.keys(iamOperations).sort())
})
