import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PolicyOwner } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import { testScope as scope, temporaryStore } from '../store/testing.ts'
import { Access } from './access.ts'
import { AccessCache } from './access-cache.ts'
import type { AccessPlan } from './access-plan.ts'
import type { NodePrincipal, Person, RolePrincipal, UserPrincipal } from './principal.ts'

const NOW = Date.UTC(2026, 0, 31, 12)
const FACTS = { now: NOW, sourceIp: '192.0.2.7', secureTransport: true, userAgent: '' }
const ADMINISTRATOR = 'arn:aws:iam::aws:policy/AdministratorAccess'
const READ_ONLY = 'arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess'
const alice: UserPrincipal = {
  kind: 'user',
  arn: 'arn:aws:iam::123456789012:user/alice',
  userId: 'AIDAALICE',
  userName: 'alice',
  longTermKeyId: 'AKIAALICE',
}
const ops: RolePrincipal = {
  kind: 'role',
  arn: 'arn:aws:sts::123456789012:assumed-role/Ops/night',
  userId: 'AROAOPS:night',
  roleArn: 'arn:aws:iam::123456789012:role/Ops',
  roleName: 'Ops',
  sessionName: 'night',
  source: { userName: 'alice', userId: 'AIDAALICE', longTermKeyId: 'AKIAALICE' },
  tags: {},
  transitiveTagKeys: [],
  temporary: { accessKeyId: 'ASIA1', issuedAt: NOW, expiresAt: NOW + 3_600_000 },
}
const node: NodePrincipal = {
  kind: 'node',
  arn: 'arn:aws:sts::123456789012:assumed-role/Ops/mi-1',
  userId: 'AROAOPS:mi-1',
  nodeId: 'mi-1',
  roleName: 'Ops',
}

let store: Store
let dispose: () => Promise<void>
let cache: AccessCache
let access: Access
let bad: string[]

beforeEach(async () => {
  const opened = await temporaryStore()
  store = opened.store
  dispose = opened.dispose
  cache = new AccessCache(() => NOW)
  bad = []
  const onBadPolicy = (name: string) => void bad.push(name)
  access = new Access({ store, scope, partition: 'aws', cache, onBadPolicy })
  await store.users.create(scope, { userName: 'alice', userId: 'AIDAALICE', path: '/', createdAt: NOW })
  const role = {
    roleName: 'Ops',
    roleId: 'AROAOPS',
    path: '/',
    description: null,
    trustPolicy: '{}',
    maxSessionDuration: 3600,
    permissionsBoundary: null,
    createdAt: NOW,
  }
  await store.roles.create(scope, role, { limit: 10 })
})
afterEach(() => dispose())

const policy = (Effect: 'Allow' | 'Deny', Action: string, Resource = '*', more: object = {}) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect, Action, Resource, ...more }] })
const inline = (ownerType: PolicyOwner, ownerName: string, policyName: string, document: string) =>
  store.ownerPolicies.putInline(scope, { ownerType, ownerName, policyName, document })
const attach = (ownerType: PolicyOwner, ownerName: string, policyArn: string) =>
  store.ownerPolicies.attach(scope, { ownerType, ownerName, policyArn, attachedAt: NOW })

/** `allowed`, or the reason, the layer and the policy. */
async function outcome(who: Person | NodePrincipal, plan: AccessPlan | string): Promise<string> {
  cache.forget()
  const whole = typeof plan === 'string' ? { all: [{ action: plan, resource: '*' }] } : plan
  const answer = await access.decide(who, whole, 'ssm:Unnamed', FACTS)
  if (answer.allowed) return 'allowed'
  const { decision, check } = answer
  const by = decision.reason === 'explicit-deny' ? ` by ${decision.by.policy.name}` : ''
  return `${check.action}: ${decision.reason} in ${decision.layer}${by}`
}

const denied = (action: string, layer = 'identity') => `${action}: no-statement in ${layer}`

describe('what a user may do', () => {
  test('is nothing without policies, and nothing when there is no such user', async () => {
    expect(await outcome(alice, 'ssm:StartSession')).toBe(denied('ssm:StartSession'))
    const gone = { ...alice, userName: 'gone' }
    expect(await outcome(gone, 'ssm:StartSession')).toBe(denied('ssm:StartSession'))
  })

  test("comes from its own policies, from Amazon's and the account's that are attached, and from its groups", async () => {
    await inline('user', 'alice', 'own', policy('Allow', 'ssm:StartSession'))
    await attach('user', 'alice', READ_ONLY)
    await store.groups.create(scope, { groupName: 'devs', groupId: 'AGPADEVS', path: '/', createdAt: NOW })
    await store.groups.addUser(scope, 'devs', 'alice')
    await inline('group', 'devs', 'theirs', policy('Allow', 'ssm:TerminateSession'))
    expect(await outcome(alice, 'ssm:StartSession')).toBe('allowed')
    expect(await outcome(alice, 'ssm:DescribeSessions')).toBe('allowed')
    expect(await outcome(alice, 'ssm:TerminateSession')).toBe('allowed')
    expect(await outcome(alice, 'ssm:SendCommand')).toBe(denied('ssm:SendCommand'))
    const { identity } = await access.policySet(alice)
    expect(identity.map(({ name, sourceType }) => [name, sourceType])).toEqual([
      ['own', 'user'],
      [READ_ONLY, 'aws-managed'],
      ['theirs', 'group'],
    ])
  })

  test('is what another group of the same name as the user does not say', async () => {
    await store.groups.create(scope, { groupName: 'alice', groupId: 'AGPA1', path: '/', createdAt: NOW })
    await inline('group', 'alice', 'theirs', policy('Allow', 'ssm:*'))
    expect(await outcome(alice, 'ssm:StartSession')).toBe(denied('ssm:StartSession'))
  })

  test('ends where anything denies it, and the policy is named', async () => {
    await attach('user', 'alice', ADMINISTRATOR)
    await inline('user', 'alice', 'never', policy('Deny', 'ssm:StartSession'))
    expect(await outcome(alice, 'ssm:StartSession')).toBe(
      'ssm:StartSession: explicit-deny in identity by never',
    )
    expect(await outcome(alice, 'ssm:ResumeSession')).toBe('allowed')
  })

  test('ends at its permissions boundary', async () => {
    await attach('user', 'alice', ADMINISTRATOR)
    await store.users.setBoundary(scope, 'alice', READ_ONLY)
    expect(await outcome(alice, 'ssm:DescribeSessions')).toBe('allowed')
    expect(await outcome(alice, 'ssm:StartSession')).toBe(denied('ssm:StartSession', 'boundary'))
  })

  test('is nothing inside of a boundary that is not there', async () => {
    await attach('user', 'alice', ADMINISTRATOR)
    await store.users.setBoundary(scope, 'alice', 'arn:aws:iam::123456789012:policy/gone')
    expect(await outcome(alice, 'ssm:StartSession')).toBe(denied('ssm:StartSession', 'boundary'))
  })

  test('is nothing once a policy cannot be read, which might have denied it; that is told once', async () => {
    await inline('user', 'alice', 'broken', '{"Statement":')
    await inline('user', 'alice', 'own', policy('Allow', 'ssm:StartSession'))
    for (const action of ['ssm:StartSession', 'ssm:SendCommand']) {
      expect(await outcome(alice, action)).toBe(`${action}: explicit-deny in identity by broken`)
    }
    expect(bad).toEqual(['broken'])
  })
})

describe('what a session of a role may do', () => {
  test("comes from the role's policies, not from those of who assumed it", async () => {
    await attach('user', 'alice', ADMINISTRATOR)
    expect(await outcome(ops, 'ssm:StartSession')).toBe(denied('ssm:StartSession'))
    await inline('role', 'Ops', 'own', policy('Allow', 'ssm:StartSession'))
    expect(await outcome(ops, 'ssm:StartSession')).toBe('allowed')
  })

  test('is no more than its session policies allow, of which one is enough', async () => {
    await attach('role', 'Ops', ADMINISTRATOR)
    const documents = [policy('Allow', 'ssm:StartSession')]
    const narrowed = { ...ops, sessionPolicies: { documents, arns: [READ_ONLY] } }
    expect(await outcome(narrowed, 'ssm:StartSession')).toBe('allowed')
    expect(await outcome(narrowed, 'ssm:DescribeSessions')).toBe('allowed')
    expect(await outcome(narrowed, 'ssm:SendCommand')).toBe(denied('ssm:SendCommand', 'session'))
  })

  test('is nothing if none of its session policies is there any more', async () => {
    await attach('role', 'Ops', ADMINISTRATOR)
    const arns = ['arn:aws:iam::123456789012:policy/gone']
    const narrowed = { ...ops, sessionPolicies: { documents: [], arns } }
    expect(await outcome(narrowed, 'ssm:StartSession')).toBe(denied('ssm:StartSession', 'session'))
  })

  test("ends at the role's boundary", async () => {
    await attach('role', 'Ops', ADMINISTRATOR)
    await store.roles.setBoundary(scope, 'Ops', READ_ONLY)
    expect(await outcome(ops, 'ssm:StartSession')).toBe(denied('ssm:StartSession', 'boundary'))
  })
})

describe('what a node may do', () => {
  test("is what its role's policies allow, and nothing without a role", async () => {
    await inline('role', 'Ops', 'own', policy('Allow', 'ssmmessages:*'))
    expect(await outcome(node, 'ssmmessages:CreateControlChannel')).toBe('allowed')
    expect(await outcome({ ...node, roleName: null }, 'ssmmessages:CreateControlChannel')).toBe(
      denied('ssmmessages:CreateControlChannel'),
    )
  })
})

describe('a plan', () => {
  const on = (resource: string, action?: string) => ({ resource, ...(action && { action }) })

  test('without checks is for everybody', async () => {
    expect(await outcome(alice, { all: [] })).toBe('allowed')
  })

  test('needs all of its checks; those without an action are for the action of the operation', async () => {
    await inline('user', 'alice', 'own', policy('Allow', 'ssm:Unnamed', 'arn:aws:ssm:*:*:document/a'))
    const a = on('arn:aws:ssm:us-east-1:123456789012:document/a')
    const b = on('arn:aws:ssm:us-east-1:123456789012:document/b')
    expect(await outcome(alice, { all: [a] })).toBe('allowed')
    expect(await outcome(alice, { all: [a, b] })).toBe(denied('ssm:Unnamed'))
    expect(await outcome(alice, { all: [a, { ...a, action: 'iam:PassRole' }] })).toBe(denied('iam:PassRole'))
  })

  test('says an explicit deny before a mere lack', async () => {
    await inline('user', 'alice', 'never', policy('Deny', 'iam:PassRole'))
    const plan = { all: [on('*'), on('*', 'iam:PassRole')] }
    expect(await outcome(alice, plan)).toBe('iam:PassRole: explicit-deny in identity by never')
  })

  test('is allowed by the other way as a whole, unless something denies the first way', async () => {
    const plan = {
      all: [on('*', 'ssm:ResumeSession')],
      otherwise: [on('*', 'ssm:StartSession'), on('*', 'ssm:GetDocument')],
    }
    expect(await outcome(alice, plan)).toBe(denied('ssm:ResumeSession'))
    await inline('user', 'alice', 'start', policy('Allow', 'ssm:StartSession'))
    expect(await outcome(alice, plan)).toBe(denied('ssm:ResumeSession'))
    await inline('user', 'alice', 'get', policy('Allow', 'ssm:GetDocument'))
    expect(await outcome(alice, plan)).toBe('allowed')
    await inline('user', 'alice', 'never', policy('Deny', 'ssm:ResumeSession'))
    expect(await outcome(alice, plan)).toBe('ssm:ResumeSession: explicit-deny in identity by never')
  })

  test('that has two ways for one action says what is in the way of the longer', async () => {
    const [node, document] = [
      'arn:aws:ssm:us-east-1:1:managed-instance/mi-1',
      'arn:aws:ssm:us-east-1:1:document/d',
    ]
    const check = (resource: string, checked: string) => ({
      action: 'ssm:StartSession',
      resource,
      conditions: { 'ssm:SessionDocumentAccessCheck': checked },
    })
    const plan = { all: [check(node, 'false')], otherwise: [check(node, 'true'), check(document, 'true')] }
    const onlyChecked = { Condition: { BoolIfExists: { 'ssm:SessionDocumentAccessCheck': 'true' } } }
    await inline('user', 'alice', 'own', policy('Allow', 'ssm:StartSession', node, onlyChecked))
    const answer = await access.decide(alice, plan, 'ssm:StartSession', FACTS)
    expect(answer).toMatchObject({ allowed: false, check: { resource: document } })
    await inline('user', 'alice', 'more', policy('Allow', 'ssm:StartSession', document, onlyChecked))
    expect(await outcome(alice, plan)).toBe('allowed')
  })

  test('conditions find what the check knows, and what the request is like', async () => {
    const env = {
      Condition: {
        StringEquals: { 'ssm:resourceTag/env': 'dev' },
        IpAddress: { 'aws:SourceIp': '192.0.2.0/24' },
      },
    }
    await inline('user', 'alice', 'dev', policy('Allow', 'ssm:StartSession', '*', env))
    const tagged = (value: string) => ({
      all: [{ action: 'ssm:StartSession', resource: '*', conditions: { 'ssm:resourceTag/env': value } }],
    })
    expect(await outcome(alice, tagged('dev'))).toBe('allowed')
    expect(await outcome(alice, tagged('prod'))).toBe(denied('ssm:StartSession'))
  })
})

test('what was read is kept until something is forgotten', async () => {
  const decide = async () =>
    (await access.decide(alice, { all: [{ resource: '*' }] }, 'ssm:StartSession', FACTS)).allowed
  expect(await decide()).toBe(false)
  await inline('user', 'alice', 'own', policy('Allow', 'ssm:StartSession'))
  expect(await decide()).toBe(false)
  cache.forget()
  expect(await decide()).toBe(true)
})
