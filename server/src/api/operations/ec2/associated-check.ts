import type { AccessCheck, ConditionValues } from '@sallyport/server/iam/access-plan'
import type { OperationContext } from '../../operation.ts'
import { instanceCheck } from './instances.ts'

/** An association is about its instance; one that is not there, about all of them: who may not see them all is denied. */
export async function associatedCheck(
  context: OperationContext,
  associationId: string,
  conditions: ConditionValues = {},
): Promise<AccessCheck> {
  const association = await context.store.profileAssociations.get(context.scope, associationId)
  return await instanceCheck(context, association?.nodeId ?? 'i-*', conditions)
}
