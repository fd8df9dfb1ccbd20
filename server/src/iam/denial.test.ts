import { describe, expect, test } from 'vitest'
import { denialMessage } from './denial.ts'
import type { Layer, NamedPolicy } from './policy/decision.ts'
import type { NodePrincipal, UserPrincipal } from './principal.ts'

const alice: UserPrincipal = {
  kind: 'user',
  arn: 'arn:aws:iam::123456789012:user/alice',
  userId: 'AIDAALICE',
  userName: 'alice',
  longTermKeyId: 'AKIAALICE',
}
const check = {
  action: 'ssm:StartSession',
  resource: 'arn:aws:ssm:us-east-1:123456789012:managed-instance/mi-0123456789abcdef0',
}
const start =
  'User: arn:aws:iam::123456789012:user/alice is not authorized to perform: ssm:StartSession on resource: arn:aws:ssm:us-east-1:123456789012:managed-instance/mi-0123456789abcdef0'
const policy = (name: string): NamedPolicy => ({ name, sourceType: 'user', policy: { statements: [] } })

describe('nothing allows it', () => {
  test.each<[Layer, string]>([
    ['identity', `${start} because no identity-based policy allows the ssm:StartSession action`],
    ['boundary', `${start} because no permissions boundary allows the ssm:StartSession action`],
    ['session', `${start} because no session policy allows the ssm:StartSession action`],
  ])('in the layer %s', (layer, message) => {
    expect(denialMessage(alice, check, { allowed: false, reason: 'no-statement', layer })).toBe(message)
  })

  const near = (found: readonly string[] | undefined, sid?: string) =>
    denialMessage(alice, check, {
      allowed: false,
      reason: 'no-statement',
      layer: 'identity',
      nearest: {
        policy: policy('DevShells'),
        index: 1,
        ...(sid && { sid }),
        unmet: [{ operator: 'StringEquals', key: 'ssm:resourceTag/env', wanted: ['dev'], found }],
      },
    })

  test('a statement whose condition is about a key that is not there', () => {
    expect(near(undefined)).toBe(
      `${start} because no identity-based policy allows the ssm:StartSession action: statement 2 of DevShells would allow it, but its condition StringEquals on ssm:resourceTag/env does not hold (ssm:resourceTag/env is not set or differs)`,
    )
    expect(near([])).toBe(near(undefined))
  })

  test('a statement whose condition wants another value, which is not told, nor is what was found', () => {
    expect(near(['prod'], 'OnlyDev')).toBe(
      `${start} because no identity-based policy allows the ssm:StartSession action: statement OnlyDev of DevShells would allow it, but its condition StringEquals on ssm:resourceTag/env does not hold (ssm:resourceTag/env is not set or differs)`,
    )
  })
})

describe('something denies it', () => {
  test.each<[Layer, string]>([
    ['identity', `${start} with an explicit deny in an identity-based policy: NoShells (statement 3)`],
    ['boundary', `${start} with an explicit deny in a permissions boundary: NoShells (statement 3)`],
    ['session', `${start} with an explicit deny in a session policy: NoShells (statement 3)`],
  ])('in the layer %s', (layer, message) => {
    const by = { policy: policy('NoShells'), index: 2 }
    expect(denialMessage(alice, check, { allowed: false, reason: 'explicit-deny', layer, by })).toBe(message)
  })

  test('in a statement that has a name', () => {
    const by = { policy: policy('NoShells'), index: 2, sid: 'Never' }
    const decision = { allowed: false, reason: 'explicit-deny', layer: 'identity', by } as const
    expect(denialMessage(alice, check, decision)).toBe(
      `${start} with an explicit deny in an identity-based policy: NoShells (statement Never)`,
    )
  })
})

describe('a node', () => {
  const node: NodePrincipal = {
    kind: 'node',
    arn: 'arn:aws:sts::123456789012:assumed-role/Edge/mi-0123456789abcdef0',
    userId: 'AROAEDGE:mi-0123456789abcdef0',
    nodeId: 'mi-0123456789abcdef0',
    roleName: 'Edge',
  }
  const update = { action: 'ssm:UpdateInstanceInformation', resource: '*' }
  const decision = { allowed: false, reason: 'no-statement', layer: 'identity' } as const

  test('is told which role it has', () => {
    expect(denialMessage(node, update, decision)).toBe(
      'User: arn:aws:sts::123456789012:assumed-role/Edge/mi-0123456789abcdef0 is not authorized to perform: ssm:UpdateInstanceInformation on resource: * because no identity-based policy allows the ssm:UpdateInstanceInformation action. Node mi-0123456789abcdef0 has the role Edge: its policies decide',
    )
  })

  test('is told that it has none', () => {
    expect(denialMessage({ ...node, roleName: null }, update, decision)).toMatch(
      / action\. Node mi-0123456789abcdef0 has no role$/,
    )
  })
})
