import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../api/testing.ts'
import type { RolePrincipal } from '../iam/principal.ts'
import { testScope as scope } from '../store/testing.ts'
import { runAsUser } from './run-as-user.ts'

let api: ApiForTest

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.dispose())

const session = (tags: Record<string, string>): RolePrincipal => ({
  kind: 'role',
  arn: 'arn:aws:sts::123456789012:assumed-role/ops/alice',
  userId: 'AROAOPS:alice',
  roleArn: 'arn:aws:iam::123456789012:role/ops',
  roleName: 'ops',
  sessionName: 'alice',
  source: { userName: 'alice', userId: 'AIDAALICE', longTermKeyId: 'AKIA' },
  tags,
  transitiveTagKeys: [],
  temporary: { accessKeyId: `ASIA${JSON.stringify(tags)}`, issuedAt: 0, expiresAt: 1 },
})
const runAs = (tags: Record<string, string>, defaultUser = '') => {
  const inputs = { runAsEnabled: true, runAsDefaultUser: defaultUser }
  const content = { schemaVersion: '1.0', sessionType: 'Standard_Stream', inputs }
  const facts = { now: 0, sourceIp: '', secureTransport: true, userAgent: '' }
  api.accessCache.forget()
  return runAsUser(api.access, { name: 'doc', version: '1', content }, session(tags), facts)
}

test('a role session runs as its session tag says, else the tag of the role, else the document', async () => {
  expect(await runAs({}, 'operator')).toBe('operator')
  await expect(runAs({})).rejects.toThrow(
    'aws iam tag-role --role-name ops --tags Key=SSMSessionRunAs,Value=NAME',
  )
  await api.store.tags.add(scope, 'Role', 'ops', [{ Key: 'SSMSessionRunAs', Value: 'deploy' }])
  expect(await runAs({}, 'operator')).toBe('deploy')
  expect(await runAs({ SSMSessionRunAs: 'alice' }, 'operator')).toBe('alice')
})
