import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { NamedPolicy, PolicySet } from './decision.ts'
import { evaluate } from './evaluate.ts'
import { explain } from './explain.ts'
import {
  type NaivePolicy,
  type NaivePrincipal,
  type NaiveRequest,
  type NaiveStatement,
  naiveDecision,
  naiveTrust,
} from './naive-engine.ts'
import { parsePolicy } from './parse.ts'
import { trusts } from './trust.ts'

const RUNS = 3_000

/** Few words, so that policies and requests meet. */
const words = fc.constantFrom('a', 'b', 'ab', 'A', '*', '?', 'a:b', 'a/b', 'x', '', '${aws:username}')
const key = fc.constantFrom('aws:username', 'aws:PrincipalTag/t', 'aws:TagKeys', 'AWS:UserName')
const addresses = fc.constantFrom('10.0.0.1', '10.0.0.129', '10.1.0.1', '192.0.2.1')
const dates = fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-01', '2026-06-30T12:00:00+02:00')
const numbers = fc.integer({ min: -2, max: 12 }).map(String)
const arns = fc.constantFrom(
  'arn:aws:ssm:r:1:document/a',
  'arn:aws:ssm:r:1:document/ab',
  'arn:aws:ssm:r:1:document/*',
  'arn:aws:ssm:r:1:a:document/a',
  'arn:aws:ssm:r::document/a',
  'arn:aws:ssm:a:b:document/x',
  'arn:aws:ec2:r:1:instance/a:b',
)
const pieces = fc.constantFrom(
  'a',
  'b',
  'ab',
  '*',
  '?',
  'document/',
  '${aws:username}',
  "${aws:PrincipalTag/t, 'a'}",
  '${*}',
  '/',
  ':',
)
const pieced = fc.array(pieces, { minLength: 1, maxLength: 5 }).map(parts => parts.join(''))
const segment = fc.constantFrom('*', 'r', '1', 'a*', '*b', '?', '', '${aws:PrincipalTag/t}', '*a*')
const arnPattern = fc.oneof(
  fc
    .tuple(fc.constantFrom('ssm', 'ec2'), segment, segment, pieced)
    .map(parts => `arn:aws:${parts.join(':')}`),
  fc
    .tuple(fc.constantFrom('ssm', 'ec2'), segment)
    .map(([service, region]) => `arn:aws:${service}:${region}*`),
  fc.constantFrom('*', 'arn:aws:ssm:*:*:document/*', 'arn:aws:ssm:*'),
)
const actionPattern = fc.constantFrom(
  '*',
  'ssm:*',
  'ssm:Start*',
  'SSM:startsession',
  'ssm:*Session',
  'ssm:??????Session',
  'ec2:*',
  'sts:AssumeRole',
)
const effect = fc.constantFrom('Allow' as const, 'Allow' as const, 'Allow' as const, 'Deny' as const)
const version = fc.constantFrom('2012-10-17', '2012-10-17', '2012-10-17', '2008-10-17', undefined)

function oneOrMore(value: fc.Arbitrary<string>): fc.Arbitrary<string | string[]> {
  return fc.oneof(value, fc.array(value, { minLength: 1, maxLength: 3 }))
}

function condition(bases: readonly string[], value: fc.Arbitrary<string>, keys: fc.Arbitrary<string>) {
  const prefix = fc.constantFrom('', '', '', 'ForAllValues:', 'ForAnyValue:')
  return fc
    .tuple(prefix, fc.constantFrom(...bases), fc.constantFrom('', '', 'IfExists'), keys, oneOrMore(value))
    .map(([before, base, after, name, wanted]) => ({ [`${before}${base}${after}`]: { [name]: wanted } }))
}

const comparisons = ['Equals', 'NotEquals', 'LessThan', 'LessThanEquals', 'GreaterThan', 'GreaterThanEquals']
const conditions = fc
  .array(
    fc.oneof(
      condition(
        ['StringEquals', 'StringNotEquals', 'StringEqualsIgnoreCase', 'StringNotEqualsIgnoreCase'],
        words,
        key,
      ),
      condition(['StringLike', 'StringNotLike'], pieced, key),
      condition(
        comparisons.map(name => `Numeric${name}`),
        numbers,
        fc.constant('a:n'),
      ),
      condition(
        comparisons.map(name => `Date${name}`),
        dates,
        fc.constant('a:date'),
      ),
      condition(['Bool'], fc.constantFrom('true', 'FALSE'), fc.constant('a:flag')),
      condition(['BinaryEquals'], fc.constantFrom('AAAA', 'AAA='), fc.constant('a:bytes')),
      condition(
        ['IpAddress', 'NotIpAddress'],
        fc.tuple(addresses, fc.constantFrom('', '/24', '/25', '/8', '/0')).map(parts => parts.join('')),
        fc.constant('aws:SourceIp'),
      ),
      condition(['ArnEquals', 'ArnLike', 'ArnNotEquals', 'ArnNotLike'], arnPattern, fc.constant('a:arn')),
      fc
        .record({ name: key, wanted: oneOrMore(fc.constantFrom('true', 'false')) })
        .map(({ name, wanted }) => ({ Null: { [name]: wanted } })),
    ),
    { maxLength: 1 },
  )
  .map(blocks => Object.assign({}, ...blocks))

const optional = <T>(value: fc.Arbitrary<T[]>) => fc.oneof(fc.constant<T[]>([]), value)
const values = <T extends string>(value: fc.Arbitrary<T>) =>
  optional(fc.array(value, { minLength: 1, maxLength: 2 }))
const context = fc.record({
  'aws:username': optional(words.map(word => [word])),
  'aws:PrincipalTag/t': optional(fc.constantFrom('a', '1', 'r', 'r:1', '*').map(word => [word])),
  'aws:TagKeys': values(words),
  'a:n': values(numbers),
  'a:date': values(dates),
  'a:flag': values(fc.constantFrom('true', 'false')),
  'a:bytes': values(fc.constantFrom('AAAA', 'AAA=')),
  'aws:SourceIp': values(addresses),
  'a:arn': values(arns),
})
const action = fc.constantFrom(
  'ssm:StartSession',
  'ssm:ResumeSession',
  'ec2:DescribeInstances',
  'sts:AssumeRole',
)
const request: fc.Arbitrary<NaiveRequest> = fc.record({
  action,
  resource: fc.oneof({ weight: 6, arbitrary: arns }, { weight: 1, arbitrary: fc.constant('*') }),
  context,
})

const statement: fc.Arbitrary<NaiveStatement> = fc
  .record({
    effect,
    conditions: fc.tuple(conditions, conditions).map(two => Object.assign({}, ...two)),
    except: fc.record({ action: fc.boolean(), resource: fc.boolean() }),
    actions: oneOrMore(actionPattern),
    resources: oneOrMore(arnPattern),
  })
  .map(({ effect, conditions, except, actions, resources }) => ({
    Effect: effect,
    [except.action ? 'NotAction' : 'Action']: actions,
    [except.resource ? 'NotResource' : 'Resource']: resources,
    Condition: conditions,
  }))

function policyOf(statements: fc.Arbitrary<NaiveStatement>): fc.Arbitrary<NaivePolicy> {
  return fc
    .tuple(version, fc.array(statements, { minLength: 1, maxLength: 3, size: 'max' }))
    .map(([Version, Statement]) => (Version === undefined ? { Statement } : { Version, Statement }))
}

const layers = fc.record(
  {
    identity: fc.array(policyOf(statement), { maxLength: 2 }),
    boundary: policyOf(statement).map(policy => [policy]),
    session: fc.array(policyOf(statement), { maxLength: 2 }),
  },
  { requiredKeys: ['identity'] },
)

function contextOf({ context }: NaiveRequest) {
  return new Map(Object.entries(context).map(([name, found]) => [name.toLowerCase(), found]))
}

test('the engine decides as the naive one does', { timeout: 60_000 }, () => {
  const seen = new Map<string, number>()
  const named = (document: NaivePolicy): NamedPolicy => ({
    name: 'it',
    sourceType: 'none',
    policy: parsePolicy(JSON.stringify(document), 'identity'),
  })
  fc.assert(
    fc.property(layers, request, (documents, asked) => {
      const { identity, boundary, session } = documents
      const [bound] = boundary ?? []
      const set: PolicySet = {
        identity: identity.map(named),
        ...(bound ? { boundary: named(bound) } : {}),
        ...(session ? { session: session.map(named) } : {}),
      }
      const asks = { ...asked, context: contextOf(asked) }
      const decision = evaluate(set, asks)
      const found = decision.allowed ? 'allowed' : `${decision.reason} ${decision.layer}`
      expect(found).toBe(naiveDecision(documents, asked))
      const { matched, decision: explained } = explain(set, asks)
      expect(explained).toEqual(decision)
      expect(matched.some(match => match.effect === 'Deny')).toBe(found.startsWith('explicit-deny'))
      seen.set(found, (seen.get(found) ?? 0) + 1)
    }),
    { numRuns: RUNS },
  )
  // It would show little if hardly anything were allowed.
  for (const common of [
    'allowed',
    'explicit-deny identity',
    'no-statement identity',
    'no-statement boundary',
  ]) {
    expect(seen.get(common) ?? 0, common).toBeGreaterThan(RUNS / 100)
  }
})

const ACCOUNTS = ['111122223333', '444455556666'] as const
const people = ACCOUNTS.flatMap(account => [
  `arn:aws:iam::${account}:user/a`,
  `arn:aws:iam::${account}:role/R`,
  `arn:aws:sts::${account}:assumed-role/R/s`,
])
const services = fc.constantFrom('ssm.amazonaws.com', 'ec2.amazonaws.com')
const principal: fc.Arbitrary<NaivePrincipal> = fc.oneof(
  fc.constant('*' as const),
  fc.record({ Service: oneOrMore(services) }),
  fc.record(
    {
      AWS: fc.uniqueArray(
        fc.constantFrom(
          ...people,
          ...people,
          ...ACCOUNTS,
          ...ACCOUNTS.map(id => `arn:aws:iam::${id}:root`),
          '*',
        ),
        { minLength: 1, maxLength: 5 },
      ),
      Service: oneOrMore(services),
    },
    { requiredKeys: ['AWS'] },
  ),
)
const trustStatement: fc.Arbitrary<NaiveStatement> = fc
  .record({
    effect: fc.constantFrom('Allow' as const, 'Allow' as const, 'Deny' as const),
    principal,
    except: fc.boolean(),
    conditions,
    actions: oneOrMore(fc.constantFrom('sts:AssumeRole', 'sts:*', 'sts:TagSession')),
  })
  .map(({ effect, principal, except, conditions, actions }) => ({
    Effect: effect,
    [except && effect === 'Deny' ? 'NotPrincipal' : 'Principal']: principal,
    Action: actions,
    Condition: conditions,
  }))
const who = fc.oneof(
  services.map(service => ({ service })),
  fc.constantFrom(...ACCOUNTS).chain(accountId =>
    fc.constantFrom(
      { accountId, arns: [`arn:aws:iam::${accountId}:user/a`] },
      {
        accountId,
        arns: [`arn:aws:sts::${accountId}:assumed-role/R/s`, `arn:aws:iam::${accountId}:role/R`],
      },
    ),
  ),
)

test('trust is decided as the naive engine does', { timeout: 60_000 }, () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(policyOf(trustStatement), who, request, (document, party, asked) => {
      const policy = parsePolicy(JSON.stringify(document), 'trust')
      const asks = { ...asked, action: 'sts:AssumeRole' }
      const found = trusts(policy, party, { ...asks, context: contextOf(asked) })
      expect(found).toBe(naiveTrust(document, party, asks))
      seen.add(found)
    }),
    { numRuns: RUNS },
  )
  expect([...seen].sort()).toEqual(['account', 'denied', 'direct', 'no'])
})
