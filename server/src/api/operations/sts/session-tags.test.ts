import { AssumeRoleCommand, type AssumeRoleCommandInput } from '@aws-sdk/client-sts'
import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import type { RolePrincipal } from '@sallyport/server/iam/principal'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'
import { ACCOUNT, allow, clientOf, failure, makeRole, roleArn, trustOf, usable } from './sts-testing.ts'

const ROOT = `arn:aws:iam::${ACCOUNT}:root`
const EVERYTHING = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity']

let api: ApiForTest
beforeAll(async () => {
  api = await openApi()
  api.now = Date.now()
  for (const name of ['First', 'Second', 'Third']) {
    await makeRole(api, name, { trust: trustOf(ROOT, EVERYTHING), policies: [allow('sts:*')] })
  }
  await makeRole(api, 'Untagged', { policies: [allow('sts:*')] })
})
afterAll(() => api.dispose())

type Rest = Partial<AssumeRoleCommandInput>

const assume = (credentials: Credentials, role: string, rest: Rest = {}) =>
  clientOf(api, credentials).send(
    new AssumeRoleCommand({ RoleArn: roleArn(role), RoleSessionName: 'session', ...rest }),
  )
const assumed = async (credentials: Credentials, role: string, rest: Rest = {}) =>
  usable((await assume(credentials, role, rest)).Credentials)
const refused = (rest: Rest, credentials = api.administrator, role = 'First') =>
  failure(assume(credentials, role, rest))

function sessionOf({ sessionToken = '', accessKeyId }: Credentials): RolePrincipal {
  return api.sessionCredentials.open(sessionToken, accessKeyId)?.principal as RolePrincipal
}

const tag = (Key: string, Value = 'x') => ({ Key, Value })

describe('tags of a session', () => {
  test('go down a chain of roles as far as they are transitive', async () => {
    const first = await assumed(api.administrator, 'First', {
      Tags: [tag('team', 'red'), tag('cost', '1')],
      TransitiveTagKeys: ['Team'],
    })
    expect(sessionOf(first).tags).toEqual({ team: 'red', cost: '1' })
    const second = await assumed(first, 'Second', { Tags: [tag('kind', 'test')] })
    expect(sessionOf(second).tags).toEqual({ team: 'red', kind: 'test' })
    const third = await assumed(second, 'Third')
    expect(sessionOf(third).tags).toEqual({ team: 'red' })
    expect(sessionOf(third).source).toEqual(sessionOf(first).source)
    expect(await refused({ Tags: [tag('TEAM')] }, second, 'Third')).toContain(
      "InvalidParameterValue: One of the specified tag keys can't be set",
    )
  })

  test('need their own permission, inherited ones too', async () => {
    const denied = (who: string) =>
      `AccessDenied: User: ${who} is not authorized to perform: sts:TagSession on resource: ${roleArn('Untagged')}`
    const admin = `arn:aws:iam::${ACCOUNT}:user/admin`
    expect(await refused({ Tags: [tag('team')] }, api.administrator, 'Untagged')).toBe(denied(admin))
    const input = { Tags: [tag('team')], TransitiveTagKeys: ['team'] }
    const first = await assumed(api.administrator, 'First', input)
    const session = `arn:aws:sts::${ACCOUNT}:assumed-role/First/session`
    expect(await refused({}, first, 'Untagged')).toBe(denied(session))
    const modest = await api.user('modest', { policies: [allow('sts:AssumeRole')] })
    expect(await refused({ Tags: [tag('team')] }, modest)).toContain('perform: sts:TagSession')
    expect(await refused({}, modest)).toBe('none')
  })

  test('have keys that differ, are not reserved, and of which transitive ones are some', async () => {
    expect(await refused({ Tags: [tag('a'), tag('A')] })).toBe(
      'InvalidParameterValue: Duplicate tag keys found. Please note that Tag keys are case insensitive.',
    )
    expect(await refused({ Tags: [tag('AWS:x')] })).toContain('reserved')
    expect(await refused({ Tags: [tag('a')], TransitiveTagKeys: ['b'] })).toContain('must be included')
    expect(await refused({ Tags: [tag('a\u0000')] })).toContain('ValidationError')
    const odd = await assumed(api.administrator, 'First', {
      Tags: [tag('__proto__', 'p'), tag('constructor')],
    })
    expect(Object.entries(sessionOf(odd).tags)).toEqual([
      ['__proto__', 'p'],
      ['constructor', 'x'],
    ])
  })
})

describe('a source identity', () => {
  test('stays through a chain of roles and cannot be changed', async () => {
    const answer = await assume(api.administrator, 'First', { SourceIdentity: 'alice' })
    expect(answer.SourceIdentity).toBe('alice')
    const second = await assumed(usable(answer.Credentials), 'Second')
    expect(sessionOf(second).sourceIdentity).toBe('alice')
    expect((await assume(second, 'Third', { SourceIdentity: 'alice' })).SourceIdentity).toBe('alice')
    expect(await refused({ SourceIdentity: 'bob' }, second, 'Third')).toBe(
      'InvalidParameterValue: SourceIdentity cannot be changed: this session has alice.',
    )
  })

  test('needs its own permission from every role that it goes to', async () => {
    expect(await refused({ SourceIdentity: 'alice' }, api.administrator, 'Untagged')).toContain(
      'perform: sts:SetSourceIdentity',
    )
    const first = await assumed(api.administrator, 'First', { SourceIdentity: 'alice' })
    expect(await refused({}, first, 'Untagged')).toContain('perform: sts:SetSourceIdentity')
    expect(await refused({}, await assumed(api.administrator, 'First'), 'Untagged')).toBe('none')
  })
})
