import type { AttachedBoundary } from '@sallyport/protocol/api/iam-types'
import { awsManagedPolicy } from '@sallyport/server/iam/aws-managed-policies'
import type { OperationContext } from '../../operation.ts'
import { noSuchEntity } from './errors.ts'

/** Throws `NoSuchEntity` unless the ARN is that of a managed policy. */
export async function checkBoundary({ store, scope }: OperationContext, arn: string): Promise<void> {
  if (awsManagedPolicy(arn) !== undefined || (await store.policies.get(scope, arn)) !== undefined) return
  throw noSuchEntity(`Scope ARN: ${arn} does not exist or is not attachable.`)
}

/** As entities show theirs. */
export function attachedBoundary(arn: string | null): AttachedBoundary | undefined {
  return arn === null ? undefined : { PermissionsBoundaryType: 'Policy', PermissionsBoundaryArn: arn }
}
