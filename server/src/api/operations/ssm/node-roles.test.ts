import { accessSubject } from '@sallyport/server/bus/bus'
import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { associate, createInstance, createProfile, createRole, policy } from '../../node-testing.ts'
import { ec2, iam } from '../../query-testing.ts'
import { type ApiForTest, nodeKeys, openApi, read } from '../../testing.ts'

const CORE = 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore'
let api: ApiForTest

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

const controlChannel = async (node: string) => {
  const body = { MessageSchemaVersion: '1.0', RequestId: 'r' }
  const request = { ...api.jsonRequest('', body), path: `/v1/control-channel/${node}` }
  return read(await api.handle(api.signed(request, api.asNode(node), { service: 'ssmmessages' })))
}
const report = (node: string) => api.call('UpdateInstanceInformation', { InstanceId: node }, api.asNode(node))
const mayBeOnline = async (node: string) => {
  const found = await api.store.nodes.get(scope, node)
  if (found === undefined) throw new Error('no such node')
  return (await api.nodeRoles.missing(found)) === undefined
}
const roleToken = async (node: string, input: object = {}, gone?: AbortSignal) => {
  const request = api.jsonRequest('RequestManagedInstanceRoleToken', { Fingerprint: 'fingerprint', ...input })
  const signed = api.rsaSigned(request, node, nodeKeys.privateKey)
  return read(await api.handle({ ...signed, ...(gone && { gone }) }))
}

const advance = (ms: number) => {
  api.clock.advance(ms)
  return true
}

describe('a managed instance', () => {
  test('comes online with AmazonSSMManagedInstanceCore, and is told what it lacks without', async () => {
    await createRole(api, 'Managed')
    const node = await api.node({ IamRole: 'Managed' })
    expect((await controlChannel(node)).status).toBe(201)
    await iam(api, 'DetachRolePolicy', { RoleName: 'Managed', PolicyArn: CORE })
    const refused = await controlChannel(node)
    expect(refused).toMatchObject({ status: 403, code: 'AccessDeniedException' })
    expect(refused.message).toBe(
      `Node ${node} may not come online: its role Managed lacks ssm:UpdateInstanceInformation, ssmmessages:CreateControlChannel, ssmmessages:OpenControlChannel, ssmmessages:CreateDataChannel and ssmmessages:OpenDataChannel: no identity-based policy allows it. Attach AmazonSSMManagedInstanceCore to it.`,
    )
    expect((await report(node)).message).toBe(refused.message)
    await iam(api, 'AttachRolePolicy', { RoleName: 'Managed', PolicyArn: CORE })
    expect((await controlChannel(node)).status).toBe(201)
  })

  test('is refused for the one action that it lacks, but may report itself', async () => {
    const inline = { Effect: 'Deny', Action: 'ssmmessages:OpenControlChannel', Resource: '*' }
    await createRole(api, 'NoOpen', { inline })
    const node = await api.node({ IamRole: 'NoOpen' })
    expect((await report(node)).status).toBe(200)
    const { message } = await controlChannel(node)
    expect(message).toContain(
      'its role NoOpen lacks ssmmessages:OpenControlChannel: the policy own denies it.',
    )
    expect((await api.call('StartSession', { Target: node })).message).toBe(
      `${node} is not connected: its role NoOpen lacks ssmmessages:OpenControlChannel: the policy own denies it.`,
    )
  })

  test('needs a role that is there and trusts ssm.amazonaws.com', async () => {
    await createRole(api, 'Trusted')
    const node = await api.node({ IamRole: 'Trusted' })
    const trust = (service: string) =>
      policy({ Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' })
    const update = (service: string) =>
      iam(api, 'UpdateAssumeRolePolicy', { RoleName: 'Trusted', PolicyDocument: trust(service) })
    await update('ec2.amazonaws.com')
    expect((await controlChannel(node)).message).toContain(
      'the trust policy of its role Trusted does not let ssm.amazonaws.com assume it',
    )
    await update('ssm.amazonaws.com')
    expect(await mayBeOnline(node)).toBe(true)
    await iam(api, 'DetachRolePolicy', { RoleName: 'Trusted', PolicyArn: CORE })
    await iam(api, 'DeleteRole', { RoleName: 'Trusted' })
    expect((await controlChannel(node)).message).toContain('its role Trusted does not exist')
    expect(
      await api.ok('UpdateManagedInstanceRole', { InstanceId: node, IamRole: 'SSMServiceRole' }),
    ).toEqual({})
    expect((await controlChannel(node)).status).toBe(201)
  })

  test('that is held to a network comes online from there only', async () => {
    const here = { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } }
    const inline = { Effect: 'Allow', Action: ['ssm:*', 'ssmmessages:*'], Resource: '*', Condition: here }
    await createRole(api, 'Office', { policies: [], inline })
    const [inside, outside] = [await api.node({ IamRole: 'Office' }), await api.node({ IamRole: 'Office' })]
    expect((await controlChannel(inside)).status).toBe(201)
    const { remoteAddress } = api
    api.remoteAddress = '198.51.100.1'
    expect((await controlChannel(outside)).status).toBe(403)
    api.remoteAddress = remoteAddress
    const holders = await api.store.nodes.roleHolders(scope, [inside, outside])
    expect([...(await api.nodeRoles.missingAmong(holders)).keys()]).toEqual([outside])
  })

  test('keeps a role from whoever may not pass it, and gets none that is not for nodes', async () => {
    const node = await api.node()
    await createRole(api, 'Powerful')
    await createRole(api, 'ForEc2', { service: 'ec2.amazonaws.com' })
    const operator = await api.user('operator', {
      policies: [
        policy({ Effect: 'Allow', Action: ['ssm:*'], Resource: '*' }),
        policy({
          Effect: 'Allow',
          Action: 'iam:PassRole',
          Resource: 'arn:aws:iam::*:role/SSM*',
          Condition: { StringEquals: { 'iam:PassedToService': 'ssm.amazonaws.com' } },
        }),
      ],
    })
    for (const [operation, input] of [
      ['CreateActivation', {}],
      ['UpdateManagedInstanceRole', { InstanceId: node }],
    ] as const) {
      const denied = await api.call(operation, { ...input, IamRole: 'Powerful' }, operator)
      expect(denied.code).toBe('AccessDeniedException')
      expect(denied.message).toContain(
        'is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/Powerful',
      )
      expect(await api.code(operation, { ...input, IamRole: 'SSMServiceRole' }, operator)).toBe('')
      for (const IamRole of ['ForEc2', 'Nobody', 'other-path/SSMServiceRole']) {
        const { code, message } = await api.call(operation, { ...input, IamRole })
        expect({ code, message }).toEqual({
          code: 'ValidationException',
          message: expect.stringContaining(
            `Nonexistent role or missing ssm service principal in trust policy: ${IamRole}`,
          ),
        })
      }
    }
    expect(
      await api.code('UpdateManagedInstanceRole', {
        InstanceId: 'mi-00000000000000000',
        IamRole: 'Powerful',
      }),
    ).toBe('InvalidInstanceId')
  })
})

describe('an instance', () => {
  test('has no role until an instance profile gives it one', async () => {
    const node = await createInstance(api)
    expect(node).toMatch(/^i-[0-9a-f]{17}$/)
    expect((await controlChannel(node)).message).toContain(
      `it has no role: associate an instance profile with \`aws ec2 associate-iam-instance-profile --instance-id ${node} --iam-instance-profile Name=…\`.`,
    )
    await createProfile(api, 'EC2SSMRole')
    const id = await associate(api, node, 'EC2SSMRole')
    expect((await controlChannel(node)).status).toBe(201)
    await iam(api, 'RemoveRoleFromInstanceProfile', {
      InstanceProfileName: 'EC2SSMRole',
      RoleName: 'EC2SSMRole',
    })
    expect((await controlChannel(node)).message).toContain('its instance profile EC2SSMRole holds no role')
    await iam(api, 'AddRoleToInstanceProfile', {
      InstanceProfileName: 'EC2SSMRole',
      RoleName: 'SSMServiceRole',
    })
    expect((await controlChannel(node)).message).toContain('does not let ec2.amazonaws.com assume it')
    expect((await ec2(api, 'DisassociateIamInstanceProfile', { AssociationId: id })).status).toBe(200)
    expect((await controlChannel(node)).message).toContain('it has no role')
  })

  test('of many is decided as it is alone', async () => {
    await createProfile(api, 'Fleet')
    const nodes = await Promise.all(Array.from({ length: 20 }, () => createInstance(api)))
    for (const node of nodes.slice(0, 10)) await associate(api, node, 'Fleet')
    const lacking = await api.nodeRoles.missingAmong(await api.store.nodes.roleHolders(scope, nodes))
    expect([...lacking.keys()].sort()).toEqual(nodes.slice(10).sort())
    for (const node of nodes) expect(await mayBeOnline(node)).toBe(!lacking.has(node))
  })

  test('that is deregistered leaves its profile to others, and its tags to nobody', async () => {
    const node = await createInstance(api, { Tags: [{ Key: 'env', Value: 'dev' }] })
    await createProfile(api, 'Left')
    await associate(api, node, 'Left')
    expect(
      await api.ok('ListTagsForResource', { ResourceType: 'ManagedInstance', ResourceId: node }),
    ).toEqual({
      TagList: [{ Key: 'env', Value: 'dev' }],
    })
    await api.ok('DeregisterManagedInstance', { InstanceId: node })
    expect(await api.store.profileAssociations.forNode(scope, node)).toBeUndefined()
    expect(await api.store.tags.list(scope, 'Instance', node)).toEqual([])
    expect((await ec2(api, 'DescribeInstances', { 'InstanceId.1': node })).text).toContain(
      '<name>terminated</name>',
    )
  })
})

describe('a node that was refused', () => {
  test('gets its credentials all the same, with what it lacks', async () => {
    const node = await createInstance(api)
    const { status, body } = await roleToken(node)
    expect(status).toBe(200)
    expect(body.Lacking).toContain('it has no role')
    expect((await api.store.nodes.get(scope, node))?.lastSeenAt).toBe(api.now)
  })

  test('waits with its question until it may be online', async () => {
    const node = await createInstance(api)
    let answered = false
    const answer = roleToken(node, { WaitUntilAble: 45 }).finally(() => {
      answered = true
    })
    await createProfile(api, 'Waited')
    await associate(api, node, 'Waited')
    expect(answered).toBe(false)
    await api.bus.publish(accessSubject(scope), { type: 'changed' })
    await expect.poll(() => advance(250) && answered, { interval: 5 }).toBe(true)
    expect((await answer).body.Lacking).toBeUndefined()
  })

  test('is answered in the end, or when it asks again', async () => {
    const node = await createInstance(api)
    const first = roleToken(node, { WaitUntilAble: 45 })
    const second = roleToken(node, { WaitUntilAble: 45 })
    expect((await first).body.Lacking).toContain('it has no role')
    let answered = false
    void second.finally(() => {
      answered = true
    })
    await expect.poll(() => advance(45_000) && answered, { interval: 5 }).toBe(true)
    expect((await second).body.Lacking).toContain('it has no role')
  })
})
