import { generateKeyPairSync } from 'node:crypto'
import { accessSubject, nodeSubject, sessionSubject } from '@sallyport/server/bus/bus'
import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createRole } from '../../node-testing.ts'
import { type ApiForTest, nodeKeys, openApi, publicKeyText, read, spki } from '../../testing.ts'

const DAY = 86_400
let api: ApiForTest

beforeAll(async () => {
  api = await openApi()
  await createRole(api, 'Pages')
  await createRole(api, 'PathRole', { path: '/service-role/' })
})
afterAll(() => api.dispose())

const activate = async (input: object = {}) => {
  const { ActivationId, ActivationCode } = await api.ok('CreateActivation', {
    IamRole: 'SSMServiceRole',
    ...input,
  })
  return { ActivationId: String(ActivationId), ActivationCode: String(ActivationCode) }
}
const machine = { Fingerprint: 'f', PublicKey: publicKeyText, PublicKeyType: 'Rsa' }
const register = (activation: object, more: object = {}) =>
  api.anonymous('RegisterManagedInstance', { ...machine, ...activation, ...more })
const describeActivation = async (id: string) => {
  const Filters = [{ FilterKey: 'ActivationIds', FilterValues: [id] }]
  const { ActivationList } = await api.ok('DescribeActivations', { Filters })
  return (ActivationList as Array<Record<string, unknown>>)[0]
}

describe('an activation', () => {
  test('has a code that is shown once, and the bounds that were asked for', async () => {
    const { ActivationId, ActivationCode } = await activate({
      IamRole: 'service-role/PathRole',
      Description: 'd',
      DefaultInstanceName: 'web',
      RegistrationLimit: 3,
      Tags: [{ Key: 'k', Value: 'v' }],
    })
    expect(ActivationCode).toMatch(/^[A-Z2-7]{32}$/)
    expect(await describeActivation(ActivationId)).toEqual({
      ActivationId,
      Description: 'd',
      DefaultInstanceName: 'web',
      IamRole: 'PathRole',
      RegistrationLimit: 3,
      RegistrationsCount: 0,
      ExpirationDate: api.now / 1000 + DAY,
      Expired: false,
      CreatedDate: api.now / 1000,
      Tags: [{ Key: 'k', Value: 'v' }],
    })
  })

  test('cannot be asked for beyond the bounds of the API', async () => {
    const seconds = api.now / 1000
    const cases: Array<[object, string]> = [
      [{ ExpirationDate: seconds }, 'ValidationException'],
      [{ ExpirationDate: seconds + 30 * DAY + 1 }, 'ValidationException'],
      [{ RegistrationLimit: 0 }, 'ValidationException'],
      [{ RegistrationLimit: 1001 }, 'ValidationException'],
      [{ Tags: [{ Key: 'aws:x', Value: '' }] }, 'ValidationException'],
      [{ Tags: Array.from({ length: 51 }, (_, i) => ({ Key: `k${i}`, Value: '' })) }, 'TooManyTagsError'],
    ]
    for (const [input, code] of cases)
      expect(await api.code('CreateActivation', { IamRole: 'R', ...input })).toBe(code)
    expect(await api.code('CreateActivation', {})).toBe('ValidationException')
  })

  test('is found by each filter and page by page', async () => {
    const ids: string[] = []
    for (let i = 0; i < 5; i++) {
      api.now += 1000
      ids.unshift((await activate({ IamRole: 'Pages', DefaultInstanceName: `n${i % 2}` })).ActivationId)
    }
    const found: unknown[] = []
    let NextToken: unknown
    do {
      const Filters = [{ FilterKey: 'IamRole', FilterValues: ['Pages', 'x'] }]
      const page = await api.ok('DescribeActivations', {
        Filters,
        MaxResults: 2,
        ...(NextToken !== undefined && { NextToken }),
      })
      found.push(...(page.ActivationList as Array<{ ActivationId: string }>).map(each => each.ActivationId))
      NextToken = page.NextToken
    } while (NextToken !== undefined)
    expect(found).toEqual(ids)
    const both = await api.ok('DescribeActivations', {
      Filters: [
        { FilterKey: 'IamRole', FilterValues: ['Pages'] },
        { FilterKey: 'DefaultInstanceName', FilterValues: ['n1'] },
      ],
    })
    expect(both.ActivationList).toHaveLength(2)
    expect(await api.code('DescribeActivations', { NextToken: 'x' })).toBe('InvalidNextToken')
  })

  test('that is deleted registers nobody; its nodes stay', async () => {
    const activation = await activate({ RegistrationLimit: 2 })
    const { body } = await register(activation)
    await api.ok('DeleteActivation', { ActivationId: activation.ActivationId })
    expect((await register(activation)).code).toBe('InvalidActivation')
    expect(await api.code('DeleteActivation', { ActivationId: activation.ActivationId })).toBe(
      'InvalidActivationId',
    )
    expect(await api.store.nodes.get(scope, String(body.InstanceId))).toMatchObject({ deregisteredAt: null })
  })
})

describe('a registration', () => {
  let address = 0
  beforeEach(() => {
    api.remoteAddress = `192.0.2.${++address}`
  })

  test('makes a node with what its activation says', async () => {
    const activation = await activate({ DefaultInstanceName: 'web', Tags: [{ Key: 'k', Value: 'v' }] })
    const { body } = await register(activation)
    const nodeId = String(body.InstanceId)
    expect(nodeId).toMatch(/^mi-[0-9a-f]{17}$/)
    expect(await api.store.nodes.get(scope, nodeId)).toMatchObject({
      kind: 'managed-instance',
      iamRole: 'SSMServiceRole',
      name: 'web',
      activationId: activation.ActivationId,
      publicKey: publicKeyText,
      fingerprint: 'f',
    })
    expect(await api.store.tags.list(scope, 'ManagedInstance', nodeId)).toEqual([{ Key: 'k', Value: 'v' }])
  })

  test('is refused with a wrong code, an unknown, expired or used-up activation, and a bad key', async () => {
    const activation = await activate()
    const other = await activate()
    const wrong = { ...activation, ActivationCode: other.ActivationCode }
    expect((await register(wrong)).code).toBe('InvalidActivation')
    expect((await register({ ...activation, ActivationId: crypto.randomUUID() })).code).toBe(
      'InvalidActivation',
    )
    expect((await register({})).code).toBe('InvalidActivation')
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
    const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
    for (const PublicKey of ['x', 'AAAA', spki(weak), spki(curve)]) {
      expect((await register(activation, { PublicKey })).code).toBe('InvalidPublicKey')
    }
    expect((await describeActivation(activation.ActivationId))?.RegistrationsCount).toBe(0)
    expect((await register(activation)).status).toBe(200)
    expect((await register(activation)).code).toBe('RegistrationLimitExceeded')
    api.now += (DAY + 1) * 1000
    expect((await register(other)).code).toBe('ActivationExpired')
  })

  test('never goes beyond the limit, however many come at once', async () => {
    const activation = await activate({ RegistrationLimit: 3 })
    const answers = await Promise.all(Array.from({ length: 10 }, () => register(activation)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3)
    expect((await describeActivation(activation.ActivationId))?.RegistrationsCount).toBe(3)
  })

  test('that cannot be stored does not use the activation up', async () => {
    const activation = await activate()
    await api.store.db.schema.alterTable('nodes').renameTo('elsewhere').execute()
    expect((await register(activation)).status).toBe(500)
    await api.store.db.schema.alterTable('elsewhere').renameTo('nodes').execute()
    expect((await describeActivation(activation.ActivationId))?.RegistrationsCount).toBe(0)
    expect((await register(activation)).status).toBe(200)
  })

  test('is guessed at twenty times only, also at once; a fleet with the right code is never held up', async () => {
    const activation = await activate({ RegistrationLimit: 100 })
    const fleet = await Promise.all(Array.from({ length: 50 }, () => register(activation)))
    expect(fleet.every(({ status }) => status === 200)).toBe(true)
    const guess = () => register({ ...activation, ActivationCode: 'x'.repeat(32) })
    const guesses = await Promise.all(Array.from({ length: 50 }, guess))
    expect(guesses.filter(({ code }) => code === 'InvalidActivation')).toHaveLength(20)
    const [throttled] = guesses.filter(({ code }) => code === 'ThrottlingException')
    expect(throttled?.message).toContain('Try again in 3 s.')
    expect((await register(activation)).code, 'nor is the right code told from a wrong one now').toBe(
      'ThrottlingException',
    )
    api.remoteAddress = '198.51.100.1'
    expect((await register(activation)).status).toBe(200)
    api.remoteAddress = `192.0.2.${address}`
    api.now += 3000
    expect((await register(activation)).status).toBe(200)
  })
})

describe('a node', () => {
  test('gets credentials for an hour, with every member that agents insist on', async () => {
    const node = await api.node()
    const ask = async (Fingerprint: string) => {
      const request = api.jsonRequest('RequestManagedInstanceRoleToken', { Fingerprint })
      return read(await api.handle(api.rsaSigned(request, node, nodeKeys.privateKey)))
    }
    const { body } = await ask('fingerprint')
    expect(body).toEqual({
      AccessKeyId: expect.stringMatching(/^ASIA/),
      SecretAccessKey: expect.stringMatching(/./),
      SessionToken: expect.stringMatching(/./),
      TokenExpirationDate: api.now / 1000 + 3600,
      UpdateKeyPair: false,
    })
    const credentials = {
      accessKeyId: String(body.AccessKeyId),
      secretAccessKey: String(body.SecretAccessKey),
      sessionToken: String(body.SessionToken),
    }
    expect(await api.code('UpdateInstanceInformation', { InstanceId: node }, credentials)).toBe('')
    expect((await ask('of a copy')).code).toBe('MachineFingerprintDoesNotMatch')
  })

  test('reports itself; a ping without a word changes only its time', async () => {
    const node = await api.node()
    const asNode = api.asNode(node)
    const said = {
      AgentVersion: '3.3.0.0',
      PlatformType: 'Linux',
      PlatformName: 'Debian',
      ComputerName: 'web-1',
      IPAddress: '10.0.0.1',
    }
    await api.ok('UpdateInstanceInformation', { InstanceId: node, ...said }, asNode)
    api.now += 60_000
    await api.ok('UpdateInstanceInformation', { InstanceId: node, PlatformName: '' }, asNode)
    expect(await api.store.nodes.get(scope, node)).toMatchObject({
      agentVersion: '3.3.0.0',
      platformType: 'Linux',
      platformName: 'Debian',
      computerName: 'web-1',
      ipAddress: '10.0.0.1',
      lastPingAt: api.now,
    })
    expect(await api.ok('ListInstanceAssociations', { InstanceId: node }, asNode)).toEqual({
      Associations: [],
    })
  })

  test('that is deregistered loses its sessions, its tasks and its tags, and is told first', async () => {
    const node = await api.onlineNode({ Tags: [{ Key: 'k', Value: 'v' }] })
    const { SessionId } = await api.ok('StartSession', { Target: node })
    api.published.length = 0
    await api.ok('DeregisterManagedInstance', { InstanceId: node })
    expect(api.published.map(([subject]) => subject)).toEqual([
      nodeSubject(scope, node),
      sessionSubject(scope, String(SessionId)),
      accessSubject(scope),
    ])
    expect(api.published[0]?.[1]).toEqual({ type: 'deregistered' })
    expect(await api.store.sessions.get(scope, String(SessionId))).toMatchObject({ status: 'Terminated' })
    expect(await api.store.tasks.listForNode(scope, node)).toEqual([])
    expect(await api.store.tags.list(scope, 'ManagedInstance', node)).toEqual([])
    expect(await api.code('DeregisterManagedInstance', { InstanceId: node })).toBe('InvalidInstanceId')
    expect(await api.code('StartSession', { Target: node })).toBe('TargetNotConnected')
  })

  test('that is deregistered loses the rest also where something of it fails', async () => {
    const node = await api.onlineNode({ Tags: [{ Key: 'k', Value: 'v' }] })
    await api.ok('StartSession', { Target: node })
    const nodeGone = vi.spyOn(api.commands, 'nodeGone').mockRejectedValueOnce(new Error('the store is busy'))
    expect(await api.code('DeregisterManagedInstance', { InstanceId: node })).toBe('InternalServerError')
    expect(nodeGone).toHaveBeenCalledOnce()
    nodeGone.mockRestore()
    expect(await api.store.tasks.listForNode(scope, node)).toEqual([])
    expect(await api.store.tags.list(scope, 'ManagedInstance', node)).toEqual([])
  })

  test('is not to be deregistered under a name that no node has', async () => {
    expect(await api.code('DeregisterManagedInstance', { InstanceId: 'mi-00000000000000000' })).toBe(
      'InvalidInstanceId',
    )
    expect(await api.code('DeregisterManagedInstance', { InstanceId: 'i-0123456789abcde' })).toBe(
      'ValidationException',
    )
  })
})
