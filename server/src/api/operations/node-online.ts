import { authenticationError, type WireProtocol } from '@sallyport/protocol/aws/error'
import { onlineRefusal } from '@sallyport/server/iam/node-roles'
import type { OperationContext } from '../operation.ts'

/**
 * Refuses what a node does to come online if its role does not allow all that this takes, and says what: the words of
 * a single denial would name the first action only. Denied in the same way where `only` is one of the actions.
 */
export async function checkMayBeOnline(
  { nodeRoles, facts }: OperationContext,
  nodeId: string,
  wire: WireProtocol,
  only?: string,
): Promise<void> {
  const lack = await nodeRoles.missingOf(nodeId, facts)
  if (lack === undefined) return
  if (only !== undefined && lack.actions.length > 0 && !lack.actions.includes(only)) return
  throw authenticationError('access-denied', wire, onlineRefusal(nodeId, lack))
}
