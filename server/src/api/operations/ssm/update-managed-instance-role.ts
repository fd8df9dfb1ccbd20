import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { NODE_SERVICES } from '@sallyport/server/iam/service-trust'
import { operation } from '../../operation.ts'
import { passRoleCheck } from '../../pass-role.ts'
import { nodeCheck } from '../../resource-conditions.ts'
import { managedRoleName } from './managed-role.ts'

/** control-plane.md 23; it acts at once, not with the node's next credentials. */
export const updateManagedInstanceRole = operation({
  input: ssmOperations.UpdateManagedInstanceRole.input,
  callers: ['person'],
  access: async (input, context) => ({
    all: [
      await nodeCheck(context, input.InstanceId),
      await passRoleCheck(context, input.IamRole, NODE_SERVICES['managed-instance']),
    ],
  }),
  changesAccess: true,
  run: async (context, { InstanceId, IamRole }) => {
    const role = await managedRoleName(context, IamRole)
    const updated = await context.store.nodes.updateRole(context.scope, InstanceId, role)
    if (!updated) throw new AwsError('InvalidInstanceId', `There is no managed node ${InstanceId}.`)
    return {}
  },
})
