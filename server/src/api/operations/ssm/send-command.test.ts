import type { CommandTarget, NewCommand } from '@sallyport/server/commands/commands'
import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'
import { commandsIn, NO_NODE, type Row, SHELL, tag } from './command-testing.ts'

const parameters = { commands: ['uptime'] }

let api: ApiForTest
let web: string
let db: string
let windows: string
let instance: string
let gone: string
/** What would have been sent. */
let sent: Array<{ command: NewCommand; targets: readonly CommandTarget[] }> = []

const { send } = commandsIn(() => api)
const targetsOf = async (...Targets: Array<[Key: string, ...Values: string[]]>): Promise<string[]> => {
  const answer = await send({ Targets: Targets.map(([Key, ...Values]) => ({ Key, Values })) })
  if (answer.code !== undefined) throw new Error(`${answer.code}: ${answer.message}`)
  return (sent.at(-1)?.targets ?? []).map(target => target.nodeId)
}

async function node(tags: Array<{ Key: string; Value: string }>, platform?: string): Promise<string> {
  const id = await api.node({ Tags: tags })
  const PlatformType = platform as 'Linux' | undefined
  if (PlatformType) {
    await api.store.nodes.updateInformation(scope, id, { platformType: PlatformType }, api.now)
  }
  return id
}

beforeAll(async () => {
  api = await openApi()
  web = await node([tag('env', 'prod'), tag('role', 'web'), tag('resource-group', 'shop')], 'Linux')
  db = await node([tag('env', 'prod'), tag('role', 'db')], 'Linux')
  windows = await node([tag('env', 'dev'), tag('role', 'desk')], 'Windows')
  instance = 'i-0123456789abcdef0'
  await api.store.nodes.insert(scope, {
    nodeId: instance,
    kind: 'instance',
    publicKey: 'k',
    fingerprint: 'f',
    registeredAt: 0,
    name: 'bastion',
  })
  await api.store.tags.add(scope, 'Instance', instance, [tag('env', 'dev'), tag('resource-group', 'shop')])
  gone = await node([tag('env', 'prod')], 'Linux')
  await api.ok('DeregisterManagedInstance', { InstanceId: gone })
  const real = api.commands.send.bind(api.commands)
  vi.spyOn(api.commands, 'send').mockImplementation((command, targets) => {
    sent.push({ command, targets })
    return real(command, targets)
  })
})
beforeEach(() => {
  sent = []
})
afterAll(() => api.dispose())

describe('what SendCommand answers', () => {
  test('is the command as AWS shows it, with what was asked for and what was not', async () => {
    const { body } = await send({
      InstanceIds: [web, db],
      Comment: 'Check disk usage',
      OutputS3BucketName: 'results',
      CloudWatchOutputConfig: { CloudWatchOutputEnabled: true },
    })
    expect(body).toEqual({
      Command: {
        CommandId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        DocumentName: SHELL,
        DocumentVersion: '1',
        Comment: 'Check disk usage',
        ExpiresAfter: api.now / 1000 + 3600 + 3600,
        Parameters: parameters,
        InstanceIds: [web, db],
        Targets: [],
        RequestedDateTime: api.now / 1000,
        Status: expect.stringMatching(/^(Pending|InProgress)$/),
        StatusDetails: expect.stringMatching(/^(Pending|InProgress)$/),
        OutputS3BucketName: 'results',
        OutputS3KeyPrefix: '',
        MaxConcurrency: '50',
        MaxErrors: '0',
        TargetCount: 2,
        CompletedCount: 0,
        ErrorCount: 0,
        DeliveryTimedOutCount: 0,
        ServiceRole: '',
        NotificationConfig: { NotificationArn: '', NotificationEvents: [] },
        CloudWatchOutputConfig: { CloudWatchOutputEnabled: true },
        TimeoutSeconds: 3600,
      },
    })
  })

  test('expires by the time-outs of the request and of the steps', async () => {
    const { body } = await send({
      InstanceIds: [web],
      TimeoutSeconds: 600,
      Parameters: { ...parameters, executionTimeout: ['120'] },
    })
    expect(body).toMatchObject({ Command: { ExpiresAfter: api.now / 1000 + 720, TimeoutSeconds: 600 } })
  })

  test('the nodes get every parameter of the document, in the order of the request', async () => {
    await send({ InstanceIds: [db, web] })
    const [{ command, targets } = { command: undefined, targets: [] }] = sent
    expect(targets.map(({ nodeId, refused }) => [nodeId, refused])).toEqual([
      [db, undefined],
      [web, undefined],
    ])
    expect(command).toMatchObject({
      parameters,
      boundParameters: { commands: ['uptime'], executionTimeout: '3600', workingDirectory: '' },
      ownerArn: `arn:aws:iam::${scope.accountId}:user/admin`,
    })
  })
})

describe('nodes by their ids', () => {
  test.each([
    ['unknown', () => [web, NO_NODE, 'mi-11111111111111111'], `${NO_NODE}, mi-11111111111111111`],
    ['deregistered', () => [web, gone], /mi-\w{17}\.$/],
  ])('%s ones are refused by name', async (_name, ids, said) => {
    const answer = await send({ InstanceIds: ids() })
    expect(answer.code).toBe('InvalidInstanceId')
    expect(answer.message).toMatch(said)
    expect(answer.message).not.toContain(web)
    expect(sent).toEqual([])
  })

  test('twice the same is refused by name', async () => {
    const answer = await send({ InstanceIds: [web, db, web] })
    expect(answer).toMatchObject({ code: 'DuplicateInstanceId', message: `Named more than once: ${web}.` })
  })

  test('those that the document does not run on are refused by name and platform', async () => {
    const answer = await send({ InstanceIds: [web, windows] })
    expect(answer.code).toBe('UnsupportedPlatformType')
    expect(answer.message).toContain(`${windows} (Windows)`)
    expect(answer.message).not.toContain(web)
  })

  test('of one that never told its platform nothing is assumed', async () => {
    expect(await send({ InstanceIds: [instance] })).toMatchObject({ status: 200 })
  })

  test('exactly one way of naming nodes is wanted', async () => {
    const both = { InstanceIds: [web], Targets: [{ Key: 'tag:env', Values: ['prod'] }] }
    for (const input of [{}, { InstanceIds: [] }, { Targets: [] }, both]) {
      const { code, message } = await send(input)
      expect([code, message]).toEqual([
        'ValidationException',
        'Give either InstanceIds or Targets, and not both.',
      ])
    }
    expect(await send({ InstanceIds: [web], Targets: [] })).toMatchObject({ status: 200 })
  })
})

describe('nodes by targets', () => {
  const sorted = (...ids: string[]) => ids.sort()

  test.each(['InstanceIds', 'instanceids', 'instanceIds', 'INSTANCEIDS'])('%s', async key => {
    expect(await targetsOf([key, web, db])).toEqual(sorted(web, db))
  })

  test('by the tags of both kinds of nodes, deregistered ones never', async () => {
    expect(await targetsOf(['tag:env', 'prod'])).toEqual(sorted(web, db))
    expect(await targetsOf(['tag:env', 'prod', 'dev'])).toEqual(sorted(web, db, windows, instance))
    expect(await targetsOf(['tag-key', 'role'])).toEqual(sorted(web, db, windows))
    expect(await targetsOf(['tag-key', 'role', 'resource-group'])).toEqual(sorted(web, db, windows, instance))
  })

  test('several must all hold', async () => {
    expect(await targetsOf(['tag:env', 'prod'], ['tag:role', 'web', 'desk'])).toEqual([web])
    expect(await targetsOf(['tag:env', 'prod'], ['tag-key', 'nothing'])).toEqual([])
    expect(await targetsOf(['InstanceIds', web, db], ['tag:role', 'db'])).toEqual([db])
    expect(await targetsOf(['InstanceIds', web], ['instanceids', db])).toEqual([])
  })

  test('resource groups are nodes with a tag of that name', async () => {
    const types = 'resource-groups:ResourceTypeFilters'
    expect(await targetsOf(['resource-groups:Name', 'shop'])).toEqual(sorted(web, instance))
    expect(await targetsOf(['resource-groups:Name', 'shop'], [types, 'AWS::EC2::Instance'])).toEqual([
      instance,
    ])
    // Not of every node of that kind.
    expect(await targetsOf([types, 'AWS::SSM::ManagedInstance'])).toEqual([web])
    expect(await targetsOf([types, 'AWS::EC2::VPC'])).toEqual([])
  })

  test('unknown ids are refused by name here, too', async () => {
    const answer = await send({ Targets: [{ Key: 'instanceIds', Values: [web, NO_NODE, '*'] }] })
    expect(answer).toMatchObject({
      code: 'InvalidInstanceId',
      message: `Not registered here: ${NO_NODE}, *.`,
    })
  })

  test('those that the document does not run on are not sent to', async () => {
    await targetsOf(['tag-key', 'role'])
    expect(sent[0]?.targets.filter(target => target.refused)).toEqual([
      expect.objectContaining({ nodeId: windows, refused: 'InvalidPlatform' }),
    ])
  })

  test('where nothing matches there is a command all the same, which has ended', async () => {
    const { body } = await send({ Targets: [{ Key: 'tag:env', Values: ['nowhere'] }] })
    expect(body).toMatchObject({ Command: { TargetCount: 0, StatusDetails: 'NoInstancesInTag' } })
  })

  test.each([
    [{ Key: 'Name', Values: ['x'] }, "'Name' is no target"],
    [{ Key: 'tag:', Values: ['x'] }, "'tag:' is no target"],
    [{ Key: 'tag:env', Values: [] }, "'tag:env' has no values"],
    [{ Key: 'tag:env' }, "'tag:env' has no values"],
    [{ Values: ['x'] }, "'' is no target"],
  ])('%j is none', async (target, said) => {
    const answer = await send({ Targets: [target] })
    expect(answer.code).toBe('ValidationException')
    expect(answer.message).toContain(said)
  })
})

describe('what does not fit is refused:', () => {
  const sha256 = 'a'.repeat(64)
  const notification = { NotificationArn: 'arn:aws:sns:us-east-1:123456789012:topic' }
  test.each<[string, string, Row, string]>([
    ['a document that is not there', 'InvalidDocument', { DocumentName: 'Nothing' }, 'Nothing'],
    ['a session document', 'InvalidDocument', { DocumentName: 'AWS-StartSSHSession' }, 'type Session'],
    ['a version that is not there', 'InvalidDocumentVersion', { DocumentVersion: '7' }, 'version 7'],
    ['another hash', 'InvalidDocument', { DocumentHash: sha256, DocumentHashType: 'Sha256' }, 'Sha256'],
    [
      'another hash of the old kind',
      'InvalidDocument',
      { DocumentHash: 'ab', DocumentHashType: 'Sha1' },
      'Sha1',
    ],
    ['a parameter that is none', 'InvalidParameters', { Parameters: { nope: ['x'] } }, "'nope'"],
    ['a parameter that is missing', 'InvalidParameters', { Parameters: {} }, "'commands'"],
    [
      'a parameter too long for nodes',
      'InvalidParameters',
      { Parameters: { commands: ['x'.repeat(300_000)] } },
      '262144 is the most',
    ],
    [
      'a reference to no parameter',
      'InvalidParameters',
      { Parameters: { commands: ['echo {{ssm:absent}}'] } },
      '{{ssm:absent}}',
    ],
    ['a bucket that is none', 'InvalidOutputFolder', { OutputS3BucketName: 'No_Bucket' }, "'No_Bucket'"],
    ['a prefix without a bucket', 'InvalidOutputFolder', { OutputS3KeyPrefix: 'x' }, 'OutputS3BucketName'],
    [
      'a topic that is none',
      'InvalidNotificationConfig',
      { NotificationConfig: { NotificationArn: 'mail' } },
      "'mail'",
    ],
    [
      'notifications to nobody',
      'InvalidNotificationConfig',
      { NotificationConfig: { NotificationEvents: ['All'] } },
      'no NotificationArn',
    ],
    ['a role that is none', 'InvalidRole', { ServiceRoleArn: 'Notify' }, 'Notify'],
    [
      'a role that is not there',
      'InvalidRole',
      { ServiceRoleArn: 'arn:aws:iam::123456789012:role/Nobody', NotificationConfig: notification },
      'role/Nobody',
    ],
    ['an alarm', 'ValidationException', { AlarmConfiguration: { Alarms: [{ Name: 'a' }] } }, 'no alarms'],
    ['no concurrency', 'ValidationException', { MaxConcurrency: '0' }, 'maxConcurrency'],
    ['more than all', 'ValidationException', { MaxConcurrency: '101%' }, 'maxConcurrency'],
    ['errors less than none', 'ValidationException', { MaxErrors: '-1' }, 'maxErrors'],
    ['a time too short', 'ValidationException', { TimeoutSeconds: 29 }, 'timeoutSeconds'],
  ])('%s', async (_name, code, input, said) => {
    const answer = await send({ InstanceIds: [web], ...input })
    expect([answer.code, answer.message]).toEqual([code, expect.stringContaining(said)])
    expect(sent).toEqual([])
  })
})

test('the hashes of the document are taken, of either kind and in either case', async () => {
  const described = await api.ok('DescribeDocument', { Name: SHELL })
  const { Hash } = described.Document as { Hash: string }
  for (const hash of [Hash, Hash.toUpperCase()]) {
    expect(await send({ InstanceIds: [web], DocumentHash: hash })).toMatchObject({ status: 200 })
  }
})

test('what members of notifications are left empty mean none', async () => {
  const empty = { NotificationArn: '', NotificationEvents: [] }
  expect(await send({ InstanceIds: [web], NotificationConfig: empty })).toMatchObject({ status: 200 })
})
