import { AssumeRoleCommand, type AssumeRoleCommandInput, GetCallerIdentityCommand } from '@aws-sdk/client-sts'
import type { Credentials } from '@sallyport/protocol/aws/sigv4'
import { testScope as scope } from '@sallyport/server/store/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ApiForTest, openApi } from '../../testing.ts'
import {
  ACCOUNT,
  allow,
  clientOf,
  deny,
  failure,
  makeRole,
  roleArn,
  trustOf,
  usable,
  userArn,
} from './sts-testing.ts'

let api: ApiForTest
/** They may assume anything, or have no policy at all, and every test has others. */
let able: Credentials
let unable: Credentials
let [ableName, unableName] = ['', '']
let people = 0

beforeAll(async () => {
  api = await openApi()
  api.now = Date.now()
})
beforeEach(async () => {
  people += 1
  ableName = `able${people}`
  unableName = `unable${people}`
  able = await api.user(ableName, { policies: [allow('sts:*')] })
  unable = await api.user(unableName, { policies: [] })
})
afterAll(() => api.dispose())

const assume = (credentials: Credentials, RoleArn: string, rest: Partial<AssumeRoleCommandInput> = {}) =>
  clientOf(api, credentials).send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'session', ...rest }))

const assumed = async (credentials: Credentials, arn: string, rest: Partial<AssumeRoleCommandInput> = {}) =>
  usable((await assume(credentials, arn, rest)).Credentials)

const refused = (credentials: Credentials, arn: string, rest: Partial<AssumeRoleCommandInput> = {}) =>
  failure(assume(credentials, arn, rest))

const notAuthorized = (who: string, arn: string, action = 'sts:AssumeRole') =>
  `AccessDenied: User: ${who} is not authorized to perform: ${action} on resource: ${arn}`

describe('a role', () => {
  test('is had for an hour by whom it and their own policies let', async () => {
    const arn = await makeRole(api, 'Plain', { path: '/team/' })
    expect(arn).toBe(roleArn('team/Plain'))
    const answer = await assume(able, arn)
    expect(answer.AssumedRoleUser).toEqual({
      AssumedRoleId: 'AROAPLAIN:session',
      Arn: `arn:aws:sts::${ACCOUNT}:assumed-role/Plain/session`,
    })
    expect(answer.Credentials?.AccessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/)
    const hour = Math.floor((api.now + 3_600_000) / 1000) * 1000
    expect(answer.Credentials?.Expiration).toEqual(new Date(hour))
    expect(answer.PackedPolicySize).toBeUndefined()
    const identity = await clientOf(api, usable(answer.Credentials)).send(new GetCallerIdentityCommand({}))
    expect(identity).toMatchObject({
      Arn: answer.AssumedRoleUser?.Arn,
      UserId: 'AROAPLAIN:session',
      Account: ACCOUNT,
    })
  })

  test('is not had by who may not, and nobody learns from that whether it exists', async () => {
    const arn = await makeRole(api, 'Trusting')
    const other = await makeRole(api, 'Distant', { trust: trustOf(userArn('somebody')) })
    for (const name of [arn, roleArn('Absent')]) {
      expect(await refused(unable, name)).toBe(notAuthorized(userArn(unableName), name))
    }
    const distant = [
      other,
      roleArn('Absent'),
      roleArn('path/Trusting'),
      `arn:aws:iam::210987654321:role/Trusting`,
    ]
    for (const name of distant) {
      expect(await refused(able, name)).toBe(notAuthorized(userArn(ableName), name))
    }
  })

  test('is had by a user whom it names, without a policy of their own', async () => {
    const arn = await makeRole(api, 'Direct', { trust: trustOf(userArn(unableName)) })
    expect((await assume(unable, arn)).AssumedRoleUser?.AssumedRoleId).toBe('AROADIRECT:session')
  })

  test('is had by a role that it names without a policy, within the boundary and the session of that role', async () => {
    const first = await makeRole(api, 'Bare')
    const second = await makeRole(api, 'NamesBare', { trust: trustOf(first) })
    expect(await refused(await assumed(able, first), second)).toBe('none')
    const narrow = { Policy: allow('ssm:*') }
    const session = `arn:aws:sts::${ACCOUNT}:assumed-role/Bare/session`
    expect(await refused(await assumed(able, first, narrow), second)).toBe(notAuthorized(session, second))
    const wide = { Policy: allow('sts:AssumeRole', second) }
    const open = await assumed(able, first, wide)
    expect(await refused(open, second)).toBe('none')
    await api.store.roles.setBoundary(scope, 'Bare', 'arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess')
    api.accessCache.forget()
    expect(await refused(open, second)).toBe(notAuthorized(session, second))
    const other = await makeRole(api, 'NamesSession', { trust: trustOf(session) })
    expect(await refused(open, other)).toBe(notAuthorized(session, other))
    await api.store.roles.setBoundary(scope, 'Bare', null)
    api.accessCache.forget()
    expect(await refused(await assumed(able, first), other)).toBe('none')
    const namesake = await makeRole(api, 'Namesake')
    expect(await refused(await assumed(able, namesake), other)).toContain('AccessDenied')
  })

  test('is denied by either side, whatever else allows it', async () => {
    const forbidden = await api.user('forbidden', { policies: [allow('*'), deny('sts:AssumeRole')] })
    const arn = await makeRole(api, 'Denied', { trust: trustOf(userArn('forbidden')) })
    expect(await refused(forbidden, arn)).toBe(
      `${notAuthorized(userArn('forbidden'), arn)} with an explicit deny in an identity-based policy: policy-1 (statement 1)`,
    )
    const trust = trustOf(`arn:aws:iam::${ACCOUNT}:root`)
    const denial = { Effect: 'Deny', Principal: { AWS: userArn(ableName) }, Action: 'sts:AssumeRole' }
    const divided = { ...trust, Statement: [...trust.Statement, denial] }
    const deniedHere = await makeRole(api, 'DeniedHere', { trust: divided })
    expect(await refused(able, deniedHere)).toBe(notAuthorized(userArn(ableName), deniedHere))
    expect(await refused(api.administrator, deniedHere)).toBe('none')
  })

  test('needs a name that is an ARN of a role', async () => {
    for (const arn of ['not-an-arn-but-long-enough', userArn('somebody-or-other'), `${roleArn('x')}*`]) {
      expect(await refused(able, arn)).toBe(`ValidationError: ${arn} is invalid`)
    }
    expect(await refused(able, roleArn('Plain'), { RoleSessionName: 'a/b' })).toContain('ValidationError')
    expect(await refused(able, roleArn('Plain'), { RoleSessionName: 'a' })).toContain('ValidationError')
  })

  test('lasts from 15 minutes to as long as it allows, and for an hour when assumed from a role', async () => {
    const arn = await makeRole(api, 'Long', { maxSessionDuration: 7200, policies: [allow('sts:*')] })
    const tooLong = 'ValidationError: The requested DurationSeconds exceeds the'
    for (const [seconds, message] of [
      [899, 'ValidationError'],
      [900, 'none'],
      [7200, 'none'],
      [7201, `${tooLong} MaxSessionDuration set for this role: it is 7200.`],
      [43_201, 'ValidationError'],
    ] as const) {
      expect(await refused(able, arn, { DurationSeconds: seconds }), `${seconds}`).toContain(message)
    }
    const chained = await assumed(able, arn, { DurationSeconds: 7200 })
    expect(await refused(chained, arn, { DurationSeconds: 3600 })).toBe('none')
    expect(await refused(chained, arn, { DurationSeconds: 3601 })).toBe(
      `${tooLong} 1 hour session limit for roles assumed by role chaining.`,
    )
  })

  test('is not given for a code of an MFA device, since there are none', async () => {
    const arn = await makeRole(api, 'Careful')
    const code = { SerialNumber: `arn:aws:iam::${ACCOUNT}:mfa/x`, TokenCode: '123456' }
    expect(await refused(able, arn, code)).toContain('AccessDenied: MultiFactorAuthentication failed')
    const contexts = { ProvidedContexts: [{ ProviderArn: 'arn:aws:iam::aws:contextProvider/x' }] }
    expect(await refused(able, arn, contexts)).toContain('ValidationError')
  })
})

describe('conditions of a trust policy', () => {
  const cases: Record<string, [Record<string, object>, Partial<AssumeRoleCommandInput>]> = {
    'an external id': [{ StringEquals: { 'sts:ExternalId': 'secret/1' } }, { ExternalId: 'secret/1' }],
    'the name of the session': [
      { StringLike: { 'sts:RoleSessionName': 'dev-*' } },
      { RoleSessionName: 'dev-1' },
    ],
    'a tag of the session': [
      {
        StringEquals: { 'aws:RequestTag/team': 'red' },
        'ForAllValues:StringEquals': { 'aws:TagKeys': ['team'] },
      },
      { Tags: [{ Key: 'team', Value: 'red' }] },
    ],
    'a source identity': [{ StringEquals: { 'sts:SourceIdentity': 'alice' } }, { SourceIdentity: 'alice' }],
    'a tag of the role': [{ StringEquals: { 'aws:ResourceTag/kind': 'test' } }, {}],
  }
  const actions = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity']
  for (const [name, [Condition, input]] of Object.entries(cases)) {
    test(`may ask for ${name}`, async () => {
      const root = `arn:aws:iam::${ACCOUNT}:root`
      const roleName = name.replaceAll(' ', '-')
      const tags = [{ Key: 'kind', Value: 'test' }]
      const arn = await makeRole(api, roleName, { trust: trustOf(root, actions, { Condition }), tags })
      expect(await refused(able, arn, input)).toBe('none')
      const other = await makeRole(api, `other-${roleName}`, { trust: trustOf(root, actions, { Condition }) })
      if (name === 'a tag of the role') expect(await refused(able, other, input)).toContain('AccessDenied')
      else expect(await refused(able, arn)).toContain('AccessDenied')
    })
  }
})

describe('session policies', () => {
  const onlySessions = allow('ssm:DescribeSessions')
  const rights = async (credentials: Credentials) => [
    await api.code('DescribeSessions', { State: 'Active' }, credentials),
    await api.code('ListDocuments', {}, credentials),
  ]

  test('hold a session within what they and the role allow', async () => {
    const arn = await makeRole(api, 'Bounded', { policies: [allow('ssm:*')] })
    expect(await rights(await assumed(able, arn))).toEqual(['', ''])
    expect(await rights(await assumed(able, arn, { Policy: onlySessions }))).toEqual([
      '',
      'AccessDeniedException',
    ])
    const managed = { PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess' }] }
    expect(await rights(await assumed(able, arn, managed))).toEqual(['', ''])
    const wide = await assumed(able, await makeRole(api, 'Little', { policies: [onlySessions] }), {
      Policy: allow('*'),
    })
    expect(await rights(wide)).toEqual(['', 'AccessDeniedException'])
  })

  test('hold it at once without a managed one that is deleted', async () => {
    const arn = await makeRole(api, 'Emptied', { policies: [allow('ssm:*')] })
    const named = { PolicyName: 'Session', PolicyDocument: onlySessions }
    expect((await api.iam('CreatePolicy', named)).status).toBe(200)
    const PolicyArn = `arn:aws:iam::${ACCOUNT}:policy/Session`
    const session = await assumed(able, arn, { PolicyArns: [{ arn: PolicyArn }] })
    expect(await rights(session)).toEqual(['', 'AccessDeniedException'])
    expect((await api.iam('DeletePolicy', { PolicyArn })).status).toBe(200)
    expect(await rights(session)).toEqual(['AccessDeniedException', 'AccessDeniedException'])
  })

  test('are checked when they are given', async () => {
    const arn = await makeRole(api, 'Checked')
    expect(await refused(able, arn, { Policy: '{"Statement":' })).toContain(
      'MalformedPolicyDocumentException: ',
    )
    expect(await refused(able, arn, { Policy: allow('*').replace('Allow', 'Perhaps') })).toContain(
      'MalformedPolicyDocumentException: ',
    )
    expect(await refused(able, arn, { Policy: `{${' '.repeat(2048)}}` })).toContain('ValidationError')
    const absent = 'arn:aws:iam::aws:policy/NoSuchPolicy'
    expect(await refused(able, arn, { PolicyArns: [{ arn: absent }] })).toBe(
      `ValidationError: PolicyArns: there is no policy ${absent}.`,
    )
    const many = Array.from({ length: 11 }, () => ({ arn: absent }))
    expect(await refused(able, arn, { PolicyArns: many })).toContain('ValidationError')
  })

  test('and tags have room for so much and no more', async () => {
    const trust = trustOf(`arn:aws:iam::${ACCOUNT}:root`, ['sts:AssumeRole', 'sts:TagSession'])
    const arn = await makeRole(api, 'Packed', { trust })
    const tags = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ Key: `${i}`.padStart(128, 'k'), Value: 'v'.repeat(256) }))
    const small = await assume(able, arn, { Tags: tags(1) })
    const medium = await assume(able, arn, { Tags: tags(5), Policy: onlySessions })
    expect(small.PackedPolicySize).toBeGreaterThan(1)
    expect(medium.PackedPolicySize).toBeGreaterThan(small.PackedPolicySize ?? 100)
    expect(medium.PackedPolicySize).toBeLessThanOrEqual(100)
    expect(await refused(able, arn, { Tags: tags(50) })).toMatch(
      /^PackedPolicyTooLargeException: Packed policy consumes \d{3}% of allotted space, please use smaller policy/,
    )
    expect(await refused(able, arn, { Tags: tags(51) })).toContain('ValidationError')
    expect(await refused(usable(medium.Credentials), arn)).toContain('AccessDenied')
  })
})
