import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { nodeSubject } from '@sallyport/server/bus/bus'
import { operation } from '../../operation.ts'
import { nodeResource } from '../../resources.ts'

/** The node's control channel closes, its sessions end, and it gets no more credentials (control-plane.md 23). */
export const deregisterManagedInstance = operation({
  input: ssmOperations.DeregisterManagedInstance.input,
  callers: ['user'],
  resources: (input, context) => [nodeResource(context, input.InstanceId)],
  run: async ({ store, scope, now, bus }, { InstanceId }) => {
    const deregistered = await store.nodes.deregister(scope, InstanceId, now)
    if (!deregistered) throw new AwsError('InvalidInstanceId', `There is no managed node ${InstanceId}.`)
    await store.tags.clear(scope, 'ManagedInstance', InstanceId)
    await bus.publish(nodeSubject(scope, InstanceId), { type: 'deregistered' })
    return {}
  },
})
