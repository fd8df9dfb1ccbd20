import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  AssociateIamInstanceProfileCommand,
  DescribeInstancesCommand,
  EC2Client,
  paginateDescribeInstances,
  paginateDescribeTags,
  ReplaceIamInstanceProfileAssociationCommand,
  type Reservation,
  waitUntilInstanceRunning,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addPerson, iam, jsonFile } from './people.ts'
import { aws2, RemoteShell } from './remote-shell.ts'
import { type Service, type Stack, startStack } from './stack.ts'

// The set-up of a widespread guide to Session Manager on EC2, word for word but for --endpoint-url, on a machine that
// is enrolled as an instance. The guide was written along the console, which makes an instance profile with each role:
// by the CLI that takes two more commands, which AWS's own documentation has.

const CORE = 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore'
/** What the product promises for whatever takes rights away or gives them (issue 4, points 4 and 7). */
const PROMISED_MS = 5_000

let stack: Stack
let instanceId: string
let stateDirectory: string
let agent: Service

beforeAll(async () => {
  stack = await startStack({ nodes: 0 })
  stateDirectory = join(stack.directory, 'instance')
  await stack.registerNode(stateDirectory, 'web', { registerArguments: ['--as-instance'] })
  const registration = JSON.parse(await readFile(join(stateDirectory, 'registration.json'), 'utf8'))
  instanceId = registration.instanceId
  agent = stack.startAgent(stateDirectory)
})
afterAll(async () => {
  await agent?.stop()
  await stack?.[Symbol.asyncDispose]()
})

const ec2 = (operation: string, ...args: string[]) => stack.answer('ec2', operation, ...args)
const lineCount = (pattern: RegExp) => agent.output.split('\n').filter(line => pattern.test(line)).length
const ONLINE = /"message":"online"/
const REFUSED = /the server does not let this node be online/
/** Resolves when the agent has said it `count` times; answers how long that took, ms. */
async function said(pattern: RegExp, count: number): Promise<number> {
  const since = Date.now()
  await expect.poll(() => lineCount(pattern), { timeout: 20_000, interval: 20 }).toBe(count)
  return Date.now() - since
}
const agentDoctor = () => stack.sallyport('agent', 'doctor', '--state-dir', stateDirectory)
const connectionStatus = async () => (await stack.api('get-connection-status', '--target', instanceId)).Status

describe('the guide', () => {
  test('a fresh instance runs, has no role, and says so wherever somebody looks', async () => {
    expect(instanceId).toMatch(/^i-[0-9a-f]{17}$/)
    await said(REFUSED, 1)
    const advice = `it has no role: associate an instance profile with \`aws ec2 associate-iam-instance-profile --instance-id ${instanceId} --iam-instance-profile Name=…\``
    expect(agent.output).toContain(advice)
    const status = await stack.sallyport('agent', 'status', '--state-dir', stateDirectory)
    expect(status.code).toBe(1)
    expect(status.stdout).toContain(advice)
    const refused = await stack.aws('ssm', 'start-session', '--target', instanceId)
    expect(refused.stderr).toContain('(TargetNotConnected)')
    expect(refused.stderr).toContain(advice)
    const { Reservations } = await ec2('describe-instances', '--instance-ids', instanceId)
    expect(Reservations[0].Instances[0].State).toEqual({ Code: 16, Name: 'running' })
  })

  test('and so do the doctors', async () => {
    const onNode = await agentDoctor()
    expect(onNode.code).toBe(1)
    expect(onNode.stdout.split('\n').filter(line => line !== '')).toEqual([
      `✓ this machine is registered as ${instanceId} (region us-east-1)`,
      `✓ the server answers at ${stack.endpoint}`,
      '✓ its certificate is trusted',
      "✓ this machine's clock agrees with the server's",
      '✓ the server knows the key of this node',
      expect.stringMatching(/^✗ .*it has no role: associate an instance profile/),
      expect.stringMatching(/^✗ the agent runs \(process \d+\), but is not online$/),
      expect.stringMatching(/^ {4}\S/),
    ])
    const atHome = await stack.sallyport('doctor', instanceId)
    expect(atHome.code).toBe(1)
    expect(atHome.stdout).toContain('✓ you are arn:aws:iam::123456789012:user/admin')
    expect(atHome.stdout).toContain(`✓ ${instanceId} is registered`)
    expect(atHome.stdout).toContain(`✗ ${instanceId} is not connected: it has no role`)
    expect((await stack.sallyport('doctor')).code).toBe(0)
  })

  test('step 1: a role that EC2 may take on, with the policy of managed nodes', async () => {
    const trustPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": { "Service": "ec2.amazonaws.com" },
      "Action": "sts:AssumeRole"
    }
  ]
}
`
    const file = await jsonFile(stack, 'trust-policy', trustPolicy)
    const { Role } = await iam(
      stack,
      ...(['create-role', '--role-name', 'EC2SSMRole'] as const),
      ...['--assume-role-policy-document', file],
    )
    expect(Role).toMatchObject({ RoleName: 'EC2SSMRole', AssumeRolePolicyDocument: JSON.parse(trustPolicy) })
    await iam(stack, 'attach-role-policy', '--role-name', 'EC2SSMRole', '--policy-arn', CORE)
  })

  test('step 2, too early: the answer says what the guide leaves out', async () => {
    const early = await stack.aws(
      'ec2',
      'associate-iam-instance-profile',
      ...['--instance-id', instanceId, '--iam-instance-profile', 'Name=EC2SSMRole'],
    )
    expect(early.stderr).toContain(
      'An error occurred (InvalidParameterValue) when calling the AssociateIamInstanceProfile operation: Value (EC2SSMRole) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name.',
    )
    expect(early.stderr).toContain('`aws iam create-instance-profile --instance-profile-name EC2SSMRole`')
    expect(early.stderr).toContain('add-role-to-instance-profile')
    await iam(stack, 'create-instance-profile', '--instance-profile-name', 'EC2SSMRole')
    await iam(
      stack,
      'add-role-to-instance-profile',
      ...['--instance-profile-name', 'EC2SSMRole', '--role-name', 'EC2SSMRole'],
    )
  })

  test('step 2: the role is attached to the instance, which is online at once', async () => {
    const { IamInstanceProfileAssociation } = await ec2(
      'associate-iam-instance-profile',
      ...['--instance-id', instanceId],
      ...['--iam-instance-profile', 'Name=EC2SSMRole'],
    )
    expect(IamInstanceProfileAssociation).toMatchObject({
      AssociationId: expect.stringMatching(/^iip-assoc-[0-9a-f]{17}$/),
      InstanceId: instanceId,
      IamInstanceProfile: { Arn: 'arn:aws:iam::123456789012:instance-profile/EC2SSMRole' },
    })
    expect(await said(ONLINE, 1)).toBeLessThan(PROMISED_MS)
    const { InstanceInformationList } = await stack.api(
      'describe-instance-information',
      ...['--filters', 'Key=ResourceType,Values=EC2Instance'],
    )
    expect(InstanceInformationList).toMatchObject([
      { InstanceId: instanceId, PingStatus: 'Online', ResourceType: 'EC2Instance' },
    ])
    const doctors = await Promise.all([agentDoctor(), stack.sallyport('doctor', instanceId)])
    expect(doctors.map(({ stdout }) => stdout).join('')).not.toContain('✗')
    expect(doctors.map(({ code }) => code)).toEqual([0, 0])
    const again = await stack.aws(
      'ec2',
      'associate-iam-instance-profile',
      ...['--instance-id', instanceId, '--iam-instance-profile', 'Name=EC2SSMRole'],
    )
    expect(again.stderr).toContain('(IncorrectState)')
  })

  test('step 5: aws ssm start-session --target i-… gives a shell', async () => {
    const command = ['ssm', 'start-session', '--target', instanceId, '--endpoint-url', stack.endpoint]
    await using shell = new RemoteShell(stack, [aws2, ...command], {})
    await shell.ready()
    expect(await shell.run('echo $((6 * 7))')).toBe('42')
    await shell.type('exit\r')
    expect(await shell.ended()).toMatchObject({ status: 0 })
  })
})

describe('a role', () => {
  test('that loses its policy takes the node offline, and brings it back with it', async () => {
    const online = lineCount(ONLINE)
    const refused = lineCount(REFUSED)
    await iam(stack, 'detach-role-policy', '--role-name', 'EC2SSMRole', '--policy-arn', CORE)
    expect(await said(REFUSED, refused + 1)).toBeLessThan(PROMISED_MS)
    expect(agent.output).toContain('its role EC2SSMRole lacks ssm:UpdateInstanceInformation')
    expect(agent.output).toContain('Attach AmazonSSMManagedInstanceCore to it.')
    await expect.poll(connectionStatus, { timeout: PROMISED_MS }).toBe('notconnected')
    expect((await agentDoctor()).stdout).toContain('✗ its role does not allow ssmmessages:OpenDataChannel')
    const { stderr } = await stack.aws('ssm', 'start-session', '--target', instanceId)
    expect(stderr).toContain(
      `(TargetNotConnected) when calling the StartSession operation: ${instanceId} is not connected: its role EC2SSMRole lacks`,
    )
    await iam(stack, 'attach-role-policy', '--role-name', 'EC2SSMRole', '--policy-arn', CORE)
    expect(await said(ONLINE, online + 1)).toBeLessThan(PROMISED_MS)
    await expect.poll(connectionStatus, { timeout: PROMISED_MS }).toBe('connected')
  })

  test('that is taken from the instance ends its shells', async () => {
    const online = lineCount(ONLINE)
    const command = ['ssm', 'start-session', '--target', instanceId, '--endpoint-url', stack.endpoint]
    await using shell = new RemoteShell(stack, [aws2, ...command], {})
    await shell.ready()
    const { IamInstanceProfileAssociations } = await ec2(
      'describe-iam-instance-profile-associations',
      ...['--filters', `Name=instance-id,Values=${instanceId}`],
    )
    const [{ AssociationId }] = IamInstanceProfileAssociations
    const since = Date.now()
    await ec2('disassociate-iam-instance-profile', '--association-id', AssociationId)
    await shell.ended()
    expect(Date.now() - since).toBeLessThan(PROMISED_MS)
    await ec2(
      'associate-iam-instance-profile',
      ...['--instance-id', instanceId, '--iam-instance-profile', 'Name=EC2SSMRole'],
    )
    expect(await said(ONLINE, online + 1)).toBeLessThan(PROMISED_MS)
  })
})

describe('aws ec2', () => {
  const idsOf = async (...filters: string[]) => {
    const args = filters.length === 0 ? [] : ['--filters', ...filters]
    const { Reservations } = await ec2('describe-instances', ...args)
    return Reservations.flatMap((reservation: Reservation) =>
      (reservation.Instances ?? []).map(each => each.InstanceId),
    )
  }

  test('tags instances and finds them by what they are', async () => {
    await ec2('create-tags', '--resources', instanceId, '--tags', 'Key=Name,Value=web-1', 'Key=env,Value=dev')
    const { Reservations } = await ec2('describe-instances', '--instance-ids', instanceId)
    const [instance] = Reservations[0].Instances
    expect(instance).toMatchObject({
      InstanceId: instanceId,
      State: { Name: 'running' },
      PrivateDnsName: expect.stringMatching(/./),
      PrivateIpAddress: expect.stringMatching(/./),
      IamInstanceProfile: { Arn: 'arn:aws:iam::123456789012:instance-profile/EC2SSMRole' },
      LaunchTime: expect.stringMatching(/^2\d{3}-/),
    })
    expect(instance.Tags).toEqual([
      { Key: 'Name', Value: 'web-1' },
      { Key: 'env', Value: 'dev' },
    ])
    for (const filter of [
      'Name=tag:env,Values=d?v,prod',
      'Name=instance-state-name,Values=running',
      `Name=private-dns-name,Values=${instance.PrivateDnsName}`,
    ]) {
      expect(await idsOf(filter), filter).toEqual([instanceId])
    }
    expect(await idsOf('Name=tag:env,Values=dev', 'Name=tag:Name,Values=db-*')).toEqual([])
    expect(await idsOf('Name=instance-state-name,Values=stopped')).toEqual([])
    const { Tags } = await ec2('describe-tags', '--filters', `Name=resource-id,Values=${instanceId}`)
    expect(Tags).toHaveLength(2)
    // The same tags, as SSM knows them.
    const information = await stack.api(
      'describe-instance-information',
      '--filters',
      'Key=tag:env,Values=dev',
    )
    expect(information.InstanceInformationList).toMatchObject([{ InstanceId: instanceId, Name: 'web-1' }])
    await ec2('delete-tags', '--resources', instanceId, '--tags', 'Key=env')
    expect(await idsOf('Name=tag:env,Values=dev')).toEqual([])
  })

  test('says what is wrong as EC2 does', async () => {
    for (const [args, expected] of [
      [['describe-instances', '--instance-ids', 'i-0123456789abcdef0'], '(InvalidInstanceID.NotFound)'],
      [['describe-instances', '--instance-ids', 'mi-0123456789abcdef0'], '(InvalidInstanceID.Malformed)'],
      [['describe-instances', '--filters', 'Name=colour,Values=red'], "The filter 'colour' is invalid"],
      [['describe-instances', '--dry-run'], '(DryRunOperation)'],
      [['create-tags', '--resources', 'vol-1', '--tags', 'Key=a,Value=b'], '(InvalidID)'],
      [
        ['disassociate-iam-instance-profile', '--association-id', 'iip-assoc-0'],
        '(InvalidAssociationID.NotFound)',
      ],
      [['describe-vpcs'], '(InvalidAction)'],
    ] as const) {
      const { code, stderr } = await stack.aws('ec2', ...args)
      expect(code, args.join(' ')).not.toBe(0)
      expect(stderr, args.join(' ')).toContain(expected)
    }
  })

  test('asks for the right to pass the role, and for that to the instance', async () => {
    const statement = (Action: string, Resource: string) => ({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action, Resource }],
    })
    const operator = await addPerson(stack, 'operator', statement('ec2:*', '*'))
    const args = ['--instance-id', instanceId, '--iam-instance-profile', 'Name=EC2SSMRole']
    const noPass = await operator.aws('ec2', 'associate-iam-instance-profile', ...args)
    expect(noPass.stderr).toContain('(UnauthorizedOperation)')
    expect(noPass.stderr).toContain(
      'is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/EC2SSMRole',
    )
    const tagger = await addPerson(
      stack,
      'tagger',
      statement('ec2:CreateTags', `arn:aws:ec2:*:*:instance/${instanceId}`),
    )
    const tag = (id: string) =>
      tagger.aws('ec2', 'create-tags', '--resources', id, '--tags', 'Key=by,Value=tagger')
    expect((await tag(instanceId)).code).toBe(0)
    expect((await tag('i-0123456789abcdef0')).stderr).toContain('(UnauthorizedOperation)')
    expect((await tagger.aws('ec2', 'describe-instances')).stderr).toContain('(UnauthorizedOperation)')
  })
})

test('the JavaScript SDK works on it, its waiter and its paginators too', async () => {
  const client = new EC2Client({
    // As boto3-style scripts on the server itself do.
    endpoint: stack.httpEndpoint,
    region: 'us-east-1',
    credentials: {
      accessKeyId: stack.env.AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: stack.env.AWS_SECRET_ACCESS_KEY ?? '',
    },
  })
  const InstanceIds = [instanceId]
  const waited = await waitUntilInstanceRunning({ client, maxWaitTime: 20 }, { InstanceIds })
  expect(waited.state).toBe('SUCCESS')
  const { Reservations = [] } = await client.send(new DescribeInstancesCommand({ InstanceIds }))
  expect(Reservations[0]?.Instances?.[0]).toMatchObject({
    InstanceId: instanceId,
    State: { Code: 16, Name: 'running' },
    LaunchTime: expect.any(Date),
  })
  const page = await paginateDescribeInstances({ client, pageSize: 5 }, {}).next()
  expect(page.value?.Reservations).toHaveLength(1)
  for await (const { Tags = [] } of paginateDescribeTags({ client }, {})) {
    expect(Tags.every(({ ResourceType }) => ResourceType === 'instance')).toBe(true)
  }
  const profile = { IamInstanceProfile: { Name: 'EC2SSMRole' } }
  const associate = new AssociateIamInstanceProfileCommand({ InstanceId: instanceId, ...profile })
  await expect(client.send(associate)).rejects.toMatchObject({ name: 'IncorrectState' })
  const replace = new ReplaceIamInstanceProfileAssociationCommand({
    AssociationId: 'iip-assoc-0',
    ...profile,
  })
  await expect(client.send(replace)).rejects.toMatchObject({ name: 'InvalidAssociationID.NotFound' })
  client.destroy()
})

test('an instance that is terminated is deregistered, is shown for a while, and gone for everything else', async () => {
  const { TerminatingInstances } = await ec2('terminate-instances', '--instance-ids', instanceId)
  expect(TerminatingInstances).toMatchObject([{ InstanceId: instanceId, PreviousState: { Name: 'running' } }])
  await agent.waitForLine(/this node was deregistered/)
  const { Reservations } = await ec2('describe-instances', '--instance-ids', instanceId)
  expect(Reservations[0].Instances[0].State).toEqual({ Code: 48, Name: 'terminated' })
  const { stderr } = await stack.aws(
    'ec2',
    'create-tags',
    '--resources',
    instanceId,
    '--tags',
    'Key=a,Value=b',
  )
  expect(stderr).toContain('(InvalidInstanceID.NotFound)')
})
