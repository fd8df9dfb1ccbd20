import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { toTimestamp } from '@sallyport/protocol/api/ssm-types'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'

/** Credentials of the node's role, for a node that proved its key (control-plane.md 4.1). */
export const requestManagedInstanceRoleToken = operation({
  input: ssmOperations.RequestManagedInstanceRoleToken.input,
  callers: ['node-key'],
  run: async ({ store, scope, partition, now, sessionCredentials }, { Fingerprint }, { nodeId }) => {
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
    const roleName = node.iamRole ?? ''
    const arn = `arn:${partition}:sts::${scope.accountId}:assumed-role/${roleName}/${nodeId}`
    const userId = `${node.roleId ?? ''}:${nodeId}`
    const issued = sessionCredentials.issue({ kind: 'node', arn, userId, nodeId, roleName }, now)
    return {
      AccessKeyId: issued.accessKeyId,
      SecretAccessKey: issued.secretAccessKey,
      SessionToken: issued.sessionToken,
      TokenExpirationDate: toTimestamp(issued.expiresAt),
      UpdateKeyPair: false,
    }
  },
})
