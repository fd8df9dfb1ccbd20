import { describe, expect, expectTypeOf, test } from 'vitest'
import { checkInput, type Shape } from '../aws/shape.ts'
import { ec2messagesOperations } from './ec2messages.ts'
import { ssmOperations } from './ssm.ts'
import type { StartSessionInput } from './ssm-sessions.ts'
import { createChannelResponse, ssmmessagesOperations } from './ssmmessages.ts'
import { stsOperations } from './sts.ts'

const node = 'mi-0123456789abcdef0'
const uuid = '12345678-1234-1234-1234-123456789012'

// What stock agents and clients really send (control-plane.md 2.2, 8, 9; data-plane.md 6.2, 9.1).
const good: Record<string, unknown[]> = {
  RegisterManagedInstance: [
    {
      ActivationCode: 'ABCDEFGHIJKLMNOPQRST',
      ActivationId: uuid,
      Fingerprint: uuid,
      PublicKey: 'M'.repeat(392),
      PublicKeyType: 'Rsa',
    },
  ],
  RequestManagedInstanceRoleToken: [{ Fingerprint: uuid }],
  UpdateManagedInstanceRole: [{ InstanceId: node, IamRole: 'service-role/Web' }],
  UpdateManagedInstancePublicKey: [{ NewPublicKey: 'M'.repeat(392), NewPublicKeyType: 'Rsa' }],
  UpdateInstanceInformation: [
    { AgentName: 'amazon-ssm-agent', AgentVersion: '3.3.0.0', InstanceId: node, PlatformType: 'Linux' },
    {
      AgentName: 'amazon-ssm-agent',
      AgentStatus: 'Active',
      AgentVersion: '3.3.0.0',
      AvailabilityZone: '',
      AvailabilityZoneId: '',
      ComputerName: 'host.example.org',
      IPAddress: '192.0.2.1',
      InstanceId: 'i-0123456789abcdef0',
      PlatformName: 'Debian GNU/Linux',
      PlatformType: 'Linux',
      PlatformVersion: '12',
      SSMConnectionChannel: '',
    },
  ],
  ListInstanceAssociations: [{ InstanceId: node, MaxResults: 20 }],
  StartSession: [
    { Target: node },
    {
      Target: node,
      DocumentName: 'arn:aws:ssm:us-east-1:111122223333:document/AWS-StartPortForwardingSession',
      Parameters: { portNumber: ['80'], localPortNumber: ['56789'] },
    },
  ],
  DescribeSessions: [{ State: 'Active', Filters: [{ key: 'Target', value: node }], MaxResults: 200 }],
  DescribeInstanceInformation: [
    {},
    { Filters: [{ Key: 'tag:Env', Values: ['prod'] }], MaxResults: 50 },
    { InstanceInformationFilterList: [{ key: 'InstanceIds', valueSet: [node] }] },
  ],
  CreateActivation: [
    {
      IamRole: 'service-role/AmazonEC2RunCommandRoleForManagedInstances',
      RegistrationLimit: 10,
      Tags: [{ Key: 'Größe', Value: '' }],
    },
  ],
  SendCommand: [
    { DocumentName: 'AWS-RunShellScript', InstanceIds: [node], Parameters: { commands: ['df -h'] } },
    {
      DocumentName: 'arn:aws:ssm:us-east-1::document/AWS-RunShellScript',
      Targets: [
        { Key: 'instanceIds', Values: ['i-0123456789abcdef0'] },
        { Key: 'tag:Größe', Values: ['', 'x'] },
        { Key: 'resource-groups:Name', Values: ['g'] },
      ],
      DocumentVersion: '$DEFAULT',
      MaxConcurrency: '100%',
      MaxErrors: '0%',
      TimeoutSeconds: 30,
    },
    { DocumentName: 'Mine', InstanceIds: [], Targets: [], MaxConcurrency: '9999999', MaxErrors: '0' },
  ],
  ListCommands: [{}, { Filters: [{ key: 'Status', value: 'Success' }], MaxResults: 50 }],
  ListCommandInvocations: [{ CommandId: uuid, InstanceId: node, Details: true }],
  GetCommandInvocation: [{ CommandId: uuid, InstanceId: node, PluginName: 'aws:runShellScript' }],
  CancelCommand: [{ CommandId: uuid }, { CommandId: uuid, InstanceIds: [node] }],
  WatchCommand: [{ CommandId: uuid, AfterRevision: 0, WaitSeconds: 20, MaxResults: 1000 }],
  GetCommandOutput: [{ CommandId: uuid, InstanceId: node, PluginName: 'a', Stream: 'stderr', Offset: 7 }],
  PutCommandOutput: [
    { CommandId: uuid, InstanceId: node, PluginName: 'a', Stream: 'stdout', Offset: 0, Content: '' },
  ],
  DescribeActivations: [{}, { Filters: [{ FilterKey: 'ActivationIds', FilterValues: [uuid] }] }],
  DeleteActivation: [{ ActivationId: uuid }],
  DeregisterManagedInstance: [{ InstanceId: node }],
  AddTagsToResource: [
    { ResourceType: 'ManagedInstance', ResourceId: node, Tags: [{ Key: 'a', Value: 'b' }] },
  ],
  GetDocument: [{ Name: 'AWS-RunShellScript', DocumentVersion: '$LATEST', DocumentFormat: 'YAML' }],
  UpdateDocument: [{ Name: 'Mine', Content: '{}', DocumentVersion: '12' }],
  ListDocuments: [{ Filters: [{ Key: 'Owner', Values: ['Self'] }], MaxResults: 50 }],
  DeleteDocument: [{ Name: 'Mine', Force: true }],
  ModifyDocumentPermission: [
    { Name: 'Mine', PermissionType: 'Share', AccountIdsToAdd: ['All', '123456789012'] },
    { Name: 'Mine', PermissionType: 'Share', AccountIdsToRemove: ['all'], SharedDocumentVersion: '$ALL' },
  ],
}

const bad: Record<string, unknown[]> = {
  RegisterManagedInstance: [
    { Fingerprint: uuid },
    { Fingerprint: uuid, PublicKey: 'x', PublicKeyType: 'Dsa' },
  ],
  UpdateInstanceInformation: [{}, { InstanceId: 'mi-1' }, { InstanceId: node, PlatformType: 'Plan9' }],
  StartSession: [
    {},
    { Target: 'x'.repeat(401) },
    { Target: node, DocumentName: 'no' },
    { Target: node, DocumentName: 'with space' },
    { Target: node, Reason: 'x'.repeat(257) },
    { Target: node, Parameters: { '': ['x'] } },
    { Target: node, Parameters: { p: ['x'.repeat(65536)] } },
  ],
  SendCommand: [
    {},
    { DocumentName: 'Mine', InstanceIds: ['mi-1'] },
    { DocumentName: 'Mine', InstanceIds: Array(51).fill(node) },
    { DocumentName: 'Mine', Targets: Array(6).fill({ Key: 'tag:a', Values: ['b'] }) },
    { DocumentName: 'Mine', Targets: [{ Key: 'tag;a', Values: ['b'] }] },
    { DocumentName: 'Mine', Targets: [{ Key: 'tag:a', Values: Array(51).fill('b') }] },
    ...['0', '0%', '101%', '-1', '1.5', '', '12345678', ' 1'].map(MaxConcurrency => ({
      DocumentName: 'Mine',
      MaxConcurrency,
    })),
    ...['-1', '101%', '', '01', '1 %'].map(MaxErrors => ({ DocumentName: 'Mine', MaxErrors })),
    { DocumentName: 'Mine', TimeoutSeconds: 29 },
    { DocumentName: 'Mine', TimeoutSeconds: 2_592_001 },
    { DocumentName: 'Mine', Comment: 'x'.repeat(101) },
    { DocumentName: 'Mine', DocumentHashType: 'Md5' },
    { DocumentName: 'Mine', NotificationConfig: { NotificationEvents: ['Sometimes'] } },
  ],
  ListCommands: [{ CommandId: 'x' }, { Filters: [] }, { Filters: [{ key: 'Owner', value: 'me' }] }],
  GetCommandInvocation: [{ CommandId: uuid }, { CommandId: uuid, InstanceId: node, PluginName: 'abc' }],
  WatchCommand: [
    { CommandId: uuid, WaitSeconds: 21 },
    { CommandId: uuid, AfterRevision: -1 },
  ],
  PutCommandOutput: [
    { CommandId: uuid, InstanceId: node, PluginName: 'a', Stream: 'stdlog', Offset: 0, Content: '' },
    { CommandId: uuid, InstanceId: node, PluginName: 'a', Stream: 'stdout', Offset: -1, Content: '' },
    {
      CommandId: uuid,
      InstanceId: node,
      PluginName: 'a',
      Stream: 'stdout',
      Offset: 0,
      Content: 'x'.repeat(699_053),
    },
  ],
  ResumeSession: [{ SessionId: 'x'.repeat(97) }],
  DescribeSessions: [
    {},
    { State: 'Gone' },
    { State: 'Active', MaxResults: 201 },
    { State: 'Active', Filters: [] },
    { State: 'Active', Filters: [{ key: 'Nope', value: 'x' }] },
  ],
  DescribeInstanceInformation: [{ MaxResults: 4 }, { Filters: [{ Key: 'a', Values: [] }] }],
  CreateActivation: [
    { IamRole: 'x'.repeat(65) },
    { IamRole: 'r', RegistrationLimit: 1001 },
    { IamRole: 'r', Tags: [{ Key: 'a', Value: '<b>' }] },
    { IamRole: 'r', RegistrationMetadata: [{ Key: '  ', Value: 'v' }] },
  ],
  DeleteActivation: [{ ActivationId: 'nope' }],
  DeregisterManagedInstance: [{ InstanceId: 'i-0123456789abcdef' }, { InstanceId: 'x-0123456789abcdef0' }],
  UpdateManagedInstanceRole: [{ InstanceId: 'i-0123456789abcdef0', IamRole: 'r' }, { InstanceId: node }],
  AddTagsToResource: [{ ResourceType: 'Node', ResourceId: node, Tags: [] }],
  CreateDocument: [
    { Name: 'Mine', Content: '' },
    { Name: 'a/b', Content: '{}' },
  ],
  GetDocument: [
    { Name: 'Mine', DocumentVersion: '0' },
    { Name: 'Mine', DocumentVersion: '$NEXT' },
  ],
  UpdateDocumentDefaultVersion: [{ Name: 'Mine', DocumentVersion: '$LATEST' }],
}

const shapes: Record<string, { input: Shape<unknown> }> = ssmOperations

describe.each(Object.entries(good))('%s', (name, inputs) => {
  test.each(inputs)('accepts %j', input => {
    expect(checkInput((shapes[name] as { input: Shape<unknown> }).input, input)).toEqual(input)
  })
})

describe.each(Object.entries(bad))('%s', (name, inputs) => {
  test.each(inputs)('refuses %j', input => {
    expect(() => checkInput((shapes[name] as { input: Shape<unknown> }).input, input)).toThrow(
      'validation error',
    )
  })
})

test('every operation of the families is in the table', () => {
  expect(Object.keys(ssmOperations).sort()).toEqual([
    'AddTagsToResource',
    'CancelCommand',
    'CreateActivation',
    'CreateDocument',
    'DeleteActivation',
    'DeleteDocument',
    'DeleteParameter',
    'DeleteParameters',
    'DeregisterManagedInstance',
    'DescribeActivations',
    'DescribeDocument',
    'DescribeDocumentPermission',
    'DescribeInstanceInformation',
    'DescribeParameters',
    'DescribeSessions',
    'GetAgentRelease',
    'GetAgentReleaseFile',
    'GetCommandInvocation',
    'GetCommandOutput',
    'GetConnectionStatus',
    'GetDocument',
    'GetParameter',
    'GetParameterHistory',
    'GetParameters',
    'GetParametersByPath',
    'GetServiceSetting',
    'LabelParameterVersion',
    'ListAssociations',
    'ListCommandInvocations',
    'ListCommands',
    'ListDocumentVersions',
    'ListDocuments',
    'ListInstanceAssociations',
    'ListTagsForResource',
    'ModifyDocumentPermission',
    'PutCommandOutput',
    'PutParameter',
    'RegisterManagedInstance',
    'RemoveTagsFromResource',
    'RequestManagedInstanceRoleToken',
    'ResetServiceSetting',
    'ResumeSession',
    'SendCommand',
    'StartSession',
    'TerminateSession',
    'UnlabelParameterVersion',
    'UpdateDocument',
    'UpdateDocumentDefaultVersion',
    'UpdateInstanceInformation',
    'UpdateManagedInstancePublicKey',
    'UpdateManagedInstanceRole',
    'UpdateServiceSetting',
    'WatchCommand',
  ])
})

test('an activation code that is refused is not quoted', () => {
  const input = { ActivationCode: 'short-secret', Fingerprint: uuid, PublicKey: 'k' }
  expect(() => checkInput(ssmOperations.RegisterManagedInstance.input, input)).toThrow("Value '***'")
})

test('inputs have exact types', () => {
  expectTypeOf<StartSessionInput['Target']>().toEqualTypeOf<string>()
  expectTypeOf<StartSessionInput['Reason']>().toEqualTypeOf<string | undefined>()
  expectTypeOf(checkInput(ssmOperations.DescribeSessions.input, { State: 'Active' }).State).toEqualTypeOf<
    'Active' | 'History'
  >()
})

test('patterns and lengths take linear time on long input', () => {
  const long = 'a'.repeat(200_000)
  const started = performance.now()
  for (const [name, member] of [
    ['CreateDocument', 'DisplayName'],
    ['CreateDocument', 'TargetType'],
    ['StartSession', 'DocumentName'],
    ['CreateActivation', 'DefaultInstanceName'],
    ['DeregisterManagedInstance', 'InstanceId'],
  ] as const) {
    const shape = (shapes[name] as { input: Shape<unknown> }).input
    expect(() => checkInput(shape, { [member]: `/${long}!` })).toThrow('validation error')
  }
  const blank = { IamRole: 'r', RegistrationMetadata: [{ Key: `${' '.repeat(200_000)}\n`, Value: 'v' }] }
  expect(() => checkInput(ssmOperations.CreateActivation.input, blank)).toThrow('validation error')
  expect(performance.now() - started).toBeLessThan(1000)
})

describe('the message services', () => {
  test('a created channel answers with the XML that agents read', () => {
    expect(createChannelResponse('control', 'AAEA<&')).toBe(
      '<CreateControlChannelResponse><MessageSchemaVersion>1.0</MessageSchemaVersion>' +
        '<TokenValue>AAEA&lt;&amp;</TokenValue></CreateControlChannelResponse>',
    )
    expect(createChannelResponse('data', 't')).toMatch(/^<CreateDataChannelResponse>.*<TokenValue>t</)
    expect(() => createChannelResponse('data', '')).toThrow('token')
  })

  test('inputs of agents are accepted', () => {
    const common = { MessageSchemaVersion: '1.0', RequestId: uuid }
    expect(checkInput(ssmmessagesOperations.CreateControlChannel.input, common)).toEqual(common)
    const data = { ...common, ClientId: '' }
    expect(checkInput(ssmmessagesOperations.CreateDataChannel.input, data)).toEqual(data)
    const poll = { Destination: node, MessagesRequestId: uuid, VisibilityTimeoutInSeconds: 10 }
    expect(checkInput(ec2messagesOperations.GetMessages.input, poll)).toEqual(poll)
    const reply = { MessageId: `aws.ssm.${uuid}.${node}`, Payload: '{}', ReplyId: uuid }
    expect(checkInput(ec2messagesOperations.SendReply.input, reply)).toEqual(reply)
    expect(checkInput(stsOperations.GetCallerIdentity.input, { Action: 'GetCallerIdentity' })).toEqual({})
  })
})
