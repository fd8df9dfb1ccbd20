import { expect, test } from 'vitest'
import { ParsedPolicies } from './parsed-policies.ts'

const text = (sid: string) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Sid: sid, Effect: 'Allow', Action: '*', Resource: '*' }],
  })

test('one text is read once, whatever the policy is called', () => {
  const parsed = new ParsedPolicies(() => {})
  const first = parsed.named('a', 'user', text('x'))
  const second = parsed.named('b', 'group', text('x'))
  expect(first).toMatchObject({ name: 'a', sourceType: 'user' })
  expect(second).toMatchObject({ name: 'b', sourceType: 'group' })
  expect(second.policy).toBe(first.policy)
  expect(parsed.named('a', 'user', text('y')).policy.statements[0]?.sid).toBe('y')
})

test('what cannot be read is told once, and denies everything', () => {
  const told: string[] = []
  const parsed = new ParsedPolicies((name, error) => told.push(`${name}: ${(error as Error).name}`))
  for (let i = 0; i < 3; i++) {
    const { name, policy } = parsed.named('bad', 'user', '{"Statement": [')
    expect(name).toBe('bad')
    expect(policy.statements).toMatchObject([{ sid: 'CannotBeRead', effect: 'Deny' }])
  }
  expect(told).toEqual(['bad: MalformedPolicyError'])
})

test('so many texts are kept, not more', () => {
  const parsed = new ParsedPolicies(() => {})
  const first = parsed.named('a', 'user', text('first'))
  for (let i = 0; i < 5_000; i++) parsed.named('a', 'user', text(`other${i}`))
  const again = parsed.named('a', 'user', text('first'))
  expect(again.policy.statements[0]?.sid).toBe('first')
  expect(again.policy).not.toBe(first.policy)
})
