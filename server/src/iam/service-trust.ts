import type { RoleRow } from '../store/schema.ts'
import { type Realm, roleArn } from './arns.ts'
import type { ContextValues } from './policy/decision.ts'
import { parsePolicy } from './policy/parse.ts'
import type { Policy } from './policy/policy.ts'
import { trusts } from './policy/trust.ts'

/** Who must be trusted with a role that a node is to have (control-plane.md 23, 30). */
export const NODE_SERVICES = {
  'managed-instance': 'ssm.amazonaws.com',
  instance: 'ec2.amazonaws.com',
} as const

export type NodeService = (typeof NODE_SERVICES)[keyof typeof NODE_SERVICES]

/** Whether a role's trust policy lets a service take it on for a node. */
export function trustsService(realm: Realm, role: RoleRow, service: NodeService): boolean {
  const policy = readTrust(role.trustPolicy)
  if (policy === undefined) return false
  const { partition, scope } = realm
  // Against the confused deputy (docs.aws.amazon.com/systems-manager, "Create the IAM service role"): who it is for.
  const context: ContextValues = new Map([
    ['aws:sourceaccount', [scope.accountId]],
    ['aws:sourcearn', [`arn:${partition}:ssm:${scope.region}:${scope.accountId}:managed-instance/*`]],
  ])
  const resource = roleArn(realm, role.path, role.roleName)
  return trusts(policy, { service }, { action: 'sts:AssumeRole', resource, context }) === 'direct'
}

/** What cannot be read trusts nobody. It was refused when it was to be written. */
function readTrust(text: string): Policy | undefined {
  try {
    return parsePolicy(text, 'trust')
  } catch {
    return undefined
  }
}
