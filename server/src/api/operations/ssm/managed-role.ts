import { AwsError } from '@sallyport/protocol/aws/error'
import { NODE_SERVICES } from '@sallyport/server/iam/service-trust'
import type { OperationContext } from '../../operation.ts'
import { namedRole, usableRole } from '../../pass-role.ts'

/** The name of a role that a managed node can have. Throws in AWS's words. */
export async function managedRoleName(context: OperationContext, given: string): Promise<string> {
  const service = NODE_SERVICES['managed-instance']
  const name = usableRole(context, await namedRole(context, given), service)
  if (name !== undefined) return name
  throw new AwsError(
    'ValidationException',
    `Nonexistent role or missing ssm service principal in trust policy: ${given}. Its trust policy must let ${service} do sts:AssumeRole.`,
  )
}
