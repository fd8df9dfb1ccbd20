import { describe, expect, test } from 'vitest'
import type { NamedPolicy } from './decision.ts'
import { evaluate } from './evaluate.ts'
import { explain } from './explain.ts'
import { parsePolicy } from './parse.ts'

const text = `{"Version": "2012-10-17", "Statement": [
  {"Sid": "Dev", "Effect": "Allow", "Action": "ssm:StartSession", "Resource": "*",
   "Condition": {"StringEquals": {"aws:ResourceTag/Env": "dev"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
  {"Effect": "Allow", "Action": "ssm:*", "Resource": "arn:aws:ssm:*:*:session/\${aws:username}-*"},
  {"Sid": "NoProd", "Effect": "Deny", "Action": "ssm:StartSession", "Resource": "*",
   "Condition": {"StringEquals": {"aws:ResourceTag/Env": "prod"}}},
  {"Effect": "Allow", "Action": "iam:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
]}`

const named = (name: string, document: string): NamedPolicy => ({
  name,
  sourceType: 'user',
  policy: parsePolicy(document, 'identity'),
})
const devs = named('Devs', text)
const bound = named('Bound', '{"Statement": {"Effect": "Allow", "Action": "ssm:*", "Resource": "*"}}')
const action = 'ssm:StartSession'
const resource = 'arn:aws:ssm:r:1:managed-instance/mi-1'

describe('why', () => {
  test('names the statements that matched, in all layers', () => {
    const context = new Map([
      ['aws:resourcetag/env', ['dev']],
      ['aws:sourceip', ['10.0.0.1']],
    ])
    const found = explain({ identity: [devs], boundary: bound }, { action, resource, context })
    expect(found.decision).toEqual({ allowed: true })
    expect(found.matched).toEqual([
      { policy: devs, index: 0, sid: 'Dev', layer: 'identity', effect: 'Allow' },
      { policy: bound, index: 0, layer: 'boundary', effect: 'Allow' },
    ])
    expect(found.nearMisses.map(({ sid, effect }) => [sid, effect])).toEqual([['NoProd', 'Deny']])
    expect(found.missingKeys).toEqual(['aws:username'])
  })

  test('says which conditions do not hold, and what was found instead', () => {
    const context = new Map([['aws:sourceip', ['192.0.2.1']]])
    const { decision, nearMisses } = explain({ identity: [devs] }, { action, resource, context })
    const unmet = [
      { operator: 'StringEquals', key: 'aws:ResourceTag/Env', wanted: ['dev'], found: undefined },
      { operator: 'IpAddress', key: 'aws:SourceIp', wanted: ['10.0.0.0/8'], found: ['192.0.2.1'] },
    ]
    expect(nearMisses[0]).toMatchObject({ sid: 'Dev', layer: 'identity', unmet })
    const nearest = { policy: devs, index: 0, sid: 'Dev', unmet }
    expect(decision).toEqual({ allowed: false, reason: 'no-statement', layer: 'identity', nearest })
  })

  test('asks for the keys of the action only, as the policy spells them', () => {
    const { missingKeys } = explain({ identity: [devs] }, { action, resource, context: new Map() })
    expect(missingKeys.sort()).toEqual(['aws:ResourceTag/Env', 'aws:SourceIp', 'aws:username'])
  })

  test('an explicit deny names its statement', () => {
    const context = new Map([['aws:resourcetag/env', ['prod']]])
    const by = { policy: devs, index: 2, sid: 'NoProd' }
    const decision = { allowed: false, reason: 'explicit-deny', layer: 'identity', by }
    expect(evaluate({ identity: [devs] }, { action, resource, context })).toEqual(decision)
  })

  test('one policy is asked for one action after the other', () => {
    const context = new Map([['aws:username', ['alice']]])
    const own = { resource: 'arn:aws:ssm:r:1:session/alice-1', context }
    const only = named('Only', '{"Statement": {"Effect": "Allow", "Action": "ssm:Start*", "Resource": "*"}}')
    const actions = ['ssm:StartSession', 'ssm:ResumeSession', 'ssm:StartSession', 'iam:GetUser']
    const allowed = actions.map(asked => evaluate({ identity: [only] }, { ...own, action: asked }).allowed)
    expect(allowed).toEqual([true, false, true, false])
  })

  test('statements can be cut out of their text', () => {
    const cut = devs.policy.statements.map(({ start, end }) => JSON.parse(text.slice(start, end)))
    expect(cut).toEqual(JSON.parse(text).Statement)
  })
})
