import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'

let api: ApiForTest
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

const SettingId = '/ssm/parameter-store/default-parameter-tier'
const ARN = `arn:aws:ssm:us-east-1:123456789012:servicesetting${SettingId}`
const initial = {
  SettingId,
  SettingValue: 'Standard',
  LastModifiedDate: 0,
  LastModifiedUser: 'System',
  ARN,
  Status: 'Default',
}
const put = (Name: string, more: object = {}) =>
  api.ok('PutParameter', { Name, Value: 'v', Type: 'String', ...more })

test('a setting has its default, is changed, acts, and goes back', async () => {
  const get = async (id = SettingId) => (await api.ok('GetServiceSetting', { SettingId: id })).ServiceSetting
  expect(await get()).toEqual(initial)
  expect(await api.ok('UpdateServiceSetting', { SettingId: ARN, SettingValue: 'Advanced' })).toEqual({})
  const LastModifiedUser = 'arn:aws:iam::123456789012:user/admin'
  const changed = { ...initial, SettingValue: 'Advanced', LastModifiedDate: api.now / 1000, LastModifiedUser }
  expect(await get(ARN)).toEqual({ ...changed, Status: 'Customized' })
  expect(await put('/tier/a')).toMatchObject({ Tier: 'Advanced' })
  expect(await put('/tier/b', { Tier: 'Standard' })).toMatchObject({ Tier: 'Standard' })
  await api.ok('UpdateServiceSetting', { SettingId, SettingValue: 'Intelligent-Tiering' })
  expect(await put('/tier/c')).toMatchObject({ Tier: 'Standard' })
  expect(await put('/tier/d', { Value: 'x'.repeat(4097) })).toMatchObject({ Tier: 'Advanced' })
  expect(await api.ok('ResetServiceSetting', { SettingId })).toEqual({ ServiceSetting: initial })
  expect(await get()).toEqual(initial)
  expect(await put('/tier/a', { Overwrite: true })).toMatchObject({ Tier: 'Advanced', Version: 2 })
})

test('settings and values that there are not are refused', async () => {
  const foreign = ARN.replace('123456789012', '210987654321')
  for (const id of ['/ssm/nope', 'constructor', 'ssm/parameter-store/default-parameter-tier', foreign]) {
    for (const operation of ['GetServiceSetting', 'ResetServiceSetting', 'UpdateServiceSetting']) {
      const input = { SettingId: id, SettingValue: 'Standard' }
      expect([id, await api.code(operation, input)]).toEqual([id, 'ServiceSettingNotFound'])
    }
  }
  expect(await api.code('UpdateServiceSetting', { SettingId, SettingValue: 'Best' })).toBe(
    'ValidationException',
  )
  const role = '/ssm/managed-instance/default-ec2-instance-management-role'
  const given = { SettingId: role, SettingValue: 'SomeRole' }
  expect(await api.code('UpdateServiceSetting', given)).toBe('ValidationException')
})

test('each setting is a resource of its own', async () => {
  const Statement = { Effect: 'Allow', Action: 'ssm:*ServiceSetting', Resource: ARN }
  const document = JSON.stringify({ Version: '2012-10-17', Statement })
  const ada = await api.user('ada', { policies: [document] })
  for (const id of [SettingId, ARN]) {
    expect(await api.code('GetServiceSetting', { SettingId: id }, ada)).toBe('')
  }
  const other = { SettingId: '/ssm/managed-instance/activation-tier' }
  const refused = await api.call('UpdateServiceSetting', { ...other, SettingValue: 'advanced' }, ada)
  expect(refused.code).toBe('AccessDeniedException')
  expect(refused.message).toContain('servicesetting/ssm/managed-instance/activation-tier because')
})
