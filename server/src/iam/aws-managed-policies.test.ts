import { expect, test } from 'vitest'
import { awsManagedPolicies, awsManagedPolicy } from './aws-managed-policies.ts'
import { parsePolicy } from './policy/parse.ts'

const of = (arn: string) => awsManagedPolicy(arn)

test("each of AWS's policies is a policy, and has a name and an id of its own", () => {
  const all = awsManagedPolicies('aws')
  for (const { document } of all) expect(parsePolicy(document, 'identity').statements).not.toEqual([])
  for (const each of ['policyArn', 'policyId'] as const) {
    expect(new Set(all.map(policy => policy[each])).size).toBe(all.length)
  }
  for (const { policyId } of all) expect(policyId).toMatch(/^ANPA[A-Z0-9]{17}$/)
})

test('they are found by their whole ARN', () => {
  expect(of('arn:aws:iam::aws:policy/AdministratorAccess')?.policyName).toBe('AdministratorAccess')
  expect(of('arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM')?.defaultVersion).toBe(8)
  expect(of('arn:aws:iam::aws:policy/AmazonEC2RoleforSSM')).toBeUndefined()
  expect(of('arn:aws:iam::aws:policy/administratoraccess')).toBeUndefined()
  expect(of('arn:aws:iam::123456789012:policy/AdministratorAccess')).toBeUndefined()
  expect(of('arn:aws:iam::aws:policy/__proto__')).toBeUndefined()
})

test('in another partition their resources are in that partition', () => {
  const policy = of('arn:aws-cn:iam::aws:policy/AmazonSSMFullAccess')
  expect(policy?.document).toContain('"arn:aws-cn:iam::*:role/aws-service-role/ssm.amazonaws.com/')
  expect(policy?.document).not.toContain('arn:aws:')
})
