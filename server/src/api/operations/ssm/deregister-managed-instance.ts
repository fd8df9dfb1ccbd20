import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'
import { nodeCheck } from '../../resource-conditions.ts'
import { deregisterNode } from './deregister-node.ts'

/** Of an instance too, which AWS's own client does not send: it has TerminateInstances. */
export const deregisterManagedInstance = operation({
  input: ssmOperations.DeregisterManagedInstance.input,
  callers: ['person'],
  access: async (input, context) => ({ all: [await nodeCheck(context, input.InstanceId)] }),
  changesAccess: true,
  run: async (context, { InstanceId }) => {
    if (await deregisterNode(context, InstanceId)) return {}
    throw new AwsError('InvalidInstanceId', `There is no managed node ${InstanceId}.`)
  },
})
