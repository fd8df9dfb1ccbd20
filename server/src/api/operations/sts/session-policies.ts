import type { AssumeRoleInput } from '@sallyport/protocol/api/sts'
import { AwsError } from '@sallyport/protocol/aws/error'
import { awsManagedPolicy } from '@sallyport/server/iam/aws-managed-policies'
import { MalformedPolicyError, parsePolicy } from '@sallyport/server/iam/policy/parse'
import type { RolePrincipal } from '@sallyport/server/iam/principal'
import type { OperationContext } from '../../operation.ts'

/** The policies that a session of a role is held within; undefined without any. */
export async function readSessionPolicies(
  { store, scope }: OperationContext,
  { Policy, PolicyArns = [] }: AssumeRoleInput,
): Promise<RolePrincipal['sessionPolicies']> {
  const arns = [...new Set(PolicyArns.map(({ arn }) => arn))]
  if (Policy === undefined && arns.length === 0) return undefined
  if (Policy !== undefined) checkPolicy(Policy)
  const own = arns.filter(arn => awsManagedPolicy(arn) === undefined)
  const known = await store.policies.documents(scope, own)
  for (const arn of own) {
    if (!known.has(arn)) throw new AwsError('ValidationError', `PolicyArns: there is no policy ${arn}.`)
  }
  return { documents: Policy === undefined ? [] : [Policy], arns }
}

function checkPolicy(text: string): void {
  try {
    parsePolicy(text, 'identity')
  } catch (error) {
    if (!(error instanceof MalformedPolicyError)) throw error
    throw new AwsError('MalformedPolicyDocument', error.message)
  }
}
