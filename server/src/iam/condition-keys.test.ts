import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../store/store.ts'
import { testScope as scope, temporaryStore } from '../store/testing.ts'
import { AccessCache } from './access-cache.ts'
import { PrincipalKeys, requestContext } from './condition-keys.ts'
import type { NodePrincipal, Person, RolePrincipal, UserPrincipal } from './principal.ts'

const NOW = Date.UTC(2026, 0, 31, 12, 0, 0, 250)
const facts = {
  now: NOW,
  sourceIp: '192.0.2.7',
  secureTransport: true,
  userAgent: 'aws-cli/2.17',
}
const alice: UserPrincipal = {
  kind: 'user',
  arn: 'arn:aws:iam::123456789012:user/alice',
  userId: 'AIDAALICE',
  userName: 'alice',
  longTermKeyId: 'AKIAALICE',
}
const temporary = { accessKeyId: 'ASIA1', issuedAt: Date.UTC(2026, 0, 31, 11), expiresAt: NOW + 1000 }
const session: RolePrincipal = {
  kind: 'role',
  arn: 'arn:aws:sts::123456789012:assumed-role/Ops/night',
  userId: 'AROAOPS:night',
  roleArn: 'arn:aws:iam::123456789012:role/teams/Ops',
  roleName: 'Ops',
  sessionName: 'night',
  source: { userName: 'alice', userId: 'AIDAALICE', longTermKeyId: 'AKIAALICE' },
  sourceIdentity: 'alice@example.org',
  tags: { Team: 'night', ticket: '42' },
  transitiveTagKeys: [],
  temporary,
}
const node: NodePrincipal = {
  kind: 'node',
  arn: 'arn:aws:sts::123456789012:assumed-role/Ops/i-0123456789abcdef0',
  userId: 'AROAOPS:i-0123456789abcdef0',
  nodeId: 'i-0123456789abcdef0',
  roleName: 'Ops',
}

let store: Store
let dispose: () => Promise<void>
let keys: PrincipalKeys

beforeAll(async () => {
  const opened = await temporaryStore()
  store = opened.store
  dispose = opened.dispose
  const cache = new AccessCache(() => NOW)
  keys = new PrincipalKeys({ store, scope, partition: 'aws', cache })
  const role = {
    roleName: 'Ops',
    roleId: 'AROAOPS',
    path: '/teams/',
    description: null,
    trustPolicy: '{}',
    maxSessionDuration: 3600,
    permissionsBoundary: null,
    createdAt: NOW,
  }
  await store.roles.create(scope, role, {
    tags: [
      { Key: 'team', Value: 'day' },
      { Key: 'site', Value: 'berlin' },
    ],
    limit: 10,
  })
  const user = { userName: 'alice', userId: 'AIDAALICE', path: '/', createdAt: NOW }
  await store.users.create(scope, user, [{ Key: 'Team', Value: 'blue' }])
})
afterAll(() => dispose())

const contextOf = async (principal: Person | NodePrincipal, conditions = {}, more = {}) =>
  Object.fromEntries(requestContext(await keys.of(principal), { ...facts, ...more }, conditions))

const ofRequest = {
  'aws:sourceip': ['192.0.2.7'],
  'aws:securetransport': ['true'],
  'aws:currenttime': ['2026-01-31T12:00:00Z'],
  'aws:epochtime': [String(Math.floor(NOW / 1000))],
  'aws:useragent': ['aws-cli/2.17'],
  'aws:principalaccount': ['123456789012'],
  'aws:requestedregion': ['us-east-1'],
  'aws:principalisawsservice': ['false'],
  'aws:viaawsservice': ['false'],
}

describe('everything that a condition finds', () => {
  test('of a user with a long-term key: no word of MFA', async () => {
    expect(await contextOf(alice)).toEqual({
      ...ofRequest,
      'aws:username': ['alice'],
      'aws:userid': ['AIDAALICE'],
      'aws:principalarn': ['arn:aws:iam::123456789012:user/alice'],
      'aws:principaltype': ['User'],
      'aws:principaltag/team': ['blue'],
    })
  })

  test('of what GetSessionToken gave a user', async () => {
    expect(await contextOf({ ...alice, temporary })).toMatchObject({
      'aws:username': ['alice'],
      'aws:multifactorauthpresent': ['false'],
      'aws:tokenissuetime': ['2026-01-31T11:00:00Z'],
    })
  })

  test('of a session of a role: no user name, and tags of the session in front of those of the role', async () => {
    expect(await contextOf(session)).toEqual({
      ...ofRequest,
      'aws:userid': ['AROAOPS:night'],
      'aws:principalarn': ['arn:aws:iam::123456789012:role/teams/Ops'],
      'aws:principaltype': ['AssumedRole'],
      'aws:principaltag/team': ['night'],
      'aws:principaltag/site': ['berlin'],
      'aws:principaltag/ticket': ['42'],
      'aws:sourceidentity': ['alice@example.org'],
      'aws:multifactorauthpresent': ['false'],
      'aws:tokenissuetime': ['2026-01-31T11:00:00Z'],
    })
  })

  test('of a node: which one, and its role', async () => {
    expect(await contextOf(node)).toEqual({
      ...ofRequest,
      'aws:userid': ['AROAOPS:i-0123456789abcdef0'],
      'aws:principalarn': ['arn:aws:iam::123456789012:role/teams/Ops'],
      'aws:principaltype': ['AssumedRole'],
      'aws:principaltag/team': ['day'],
      'aws:principaltag/site': ['berlin'],
      'aws:multifactorauthpresent': ['false'],
      'ssm:sourceinstancearn': ['arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0'],
      'ec2:sourceinstancearn': ['arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0'],
    })
  })

  test('of a managed instance without a role', async () => {
    const context = await contextOf({ ...node, nodeId: 'mi-0123456789abcdef0', roleName: null })
    expect(context['ssm:sourceinstancearn']).toEqual([
      'arn:aws:ssm:us-east-1:123456789012:managed-instance/mi-0123456789abcdef0',
    ])
    expect(context).not.toHaveProperty(['ec2:sourceinstancearn'])
    expect(context).not.toHaveProperty(['aws:principalarn'])
  })
})

describe('keys of the resource and of the request', () => {
  test('are found in any case, with one value or several', async () => {
    const conditions = { 'ssm:resourceTag/Env': 'dev', 'aws:TagKeys': ['a', 'b'] }
    expect(await contextOf(alice, conditions)).toMatchObject({
      'ssm:resourcetag/env': ['dev'],
      'aws:tagkeys': ['a', 'b'],
    })
  })

  test('never take the place of where a request comes from', async () => {
    const conditions = { 'aws:SourceIp': '10.0.0.1', 'AWS:securetransport': 'true' }
    const context = await contextOf(alice, conditions, {
      secureTransport: false,
      referer: 'https://a.example',
    })
    expect(context).toMatchObject({
      'aws:sourceip': ['192.0.2.7'],
      'aws:securetransport': ['false'],
      'aws:referer': ['https://a.example'],
    })
  })

  test('names of an object are keys like others', async () => {
    const conditions = { 'aws:ResourceTag/__proto__': 'x', 'aws:ResourceTag/constructor': 'y' }
    const context = requestContext(await keys.of(alice), facts, conditions)
    expect(context.get('aws:resourcetag/__proto__')).toEqual(['x'])
    expect(context.get('aws:resourcetag/constructor')).toEqual(['y'])
    expect(context.get('aws:resourcetag/tostring')).toBeUndefined()
  })
})

test('one role has as many sets of keys as it has sessions', async () => {
  const other = { ...session, tags: {}, temporary: { ...temporary, accessKeyId: 'ASIA2' } }
  expect((await contextOf(session))['aws:principaltag/team']).toEqual(['night'])
  expect((await contextOf(other))['aws:principaltag/team']).toEqual(['day'])
})
