import type { AttachedBoundary } from '@sallyport/protocol/api/iam-types'
import type { OperationContext } from '../../operation.ts'
import { noSuchEntity } from './errors.ts'
import { findPolicy } from './managed-policies.ts'

/** Throws `NoSuchEntity` unless the ARN is that of a managed policy. */
export async function checkBoundary(context: OperationContext, arn: string): Promise<void> {
  // AWS's of this partition only: policies that forbid one name it so.
  if ((await findPolicy(context, arn)) !== undefined) return
  throw noSuchEntity(`Scope ARN: ${arn} does not exist or is not attachable.`)
}

/** As entities show theirs. */
export function attachedBoundary(arn: string | null): AttachedBoundary | undefined {
  return arn === null ? undefined : { PermissionsBoundaryType: 'Policy', PermissionsBoundaryArn: arn }
}
