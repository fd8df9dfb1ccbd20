import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { toTimestamp } from '@sallyport/protocol/api/ssm-types'
import { AwsError } from '@sallyport/protocol/aws/error'
import { type NodeLack, onlineRefusal } from '@sallyport/server/iam/node-roles'
import type { ManagedNode } from '@sallyport/server/store/nodes'
import { type OperationContext, operation } from '../../operation.ts'

/** Credentials of the node's role, for a node that proved its key (control-plane.md 4.1). */
export const requestManagedInstanceRoleToken = operation({
  input: ssmOperations.RequestManagedInstanceRoleToken.input,
  callers: ['node-key'],
  run: async (context, { Fingerprint, WaitUntilAble = 0 }, { nodeId }) => {
    const { store, scope, now, sessionCredentials, nodeRoles } = context
    const node = await store.nodes.get(scope, nodeId)
    if (node === undefined || node.deregisteredAt !== null) {
      throw new AwsError('AccessDeniedException', `Node ${nodeId} was deregistered. Register it again.`)
    }
    if (node.fingerprint !== Fingerprint) {
      throw new AwsError(
        'MachineFingerprintDoesNotMatch',
        `This is not the machine that registered as ${nodeId}. A copied machine must be registered anew.`,
      )
    }
    await store.nodes.seen(scope, node, now)
    const lack = await lackAfter(context, node, WaitUntilAble * 1000)
    // Also for a node without a role: which one it has is looked up with each request.
    const issued = sessionCredentials.issue(await nodeRoles.principal(node), now)
    return {
      AccessKeyId: issued.accessKeyId,
      SecretAccessKey: issued.secretAccessKey,
      SessionToken: issued.sessionToken,
      TokenExpirationDate: toTimestamp(issued.expiresAt),
      UpdateKeyPair: false,
      Lacking: lack && onlineRefusal(nodeId, lack),
      LackingActions: lack?.actions,
    }
  },
})

/** A node that was refused asks this way: the answer comes as soon as it may be online, or after a while. */
async function lackAfter(
  { store, scope, nodeRoles, nodeWaits, gone }: OperationContext,
  node: ManagedNode,
  ms: number,
): Promise<NodeLack | undefined> {
  if (ms > 0) await nodeWaits.wait(node.nodeId, ms, gone)
  const [holder = node] = ms > 0 ? await store.nodes.roleHolders(scope, [node.nodeId]) : []
  return await nodeRoles.missing(holder)
}
