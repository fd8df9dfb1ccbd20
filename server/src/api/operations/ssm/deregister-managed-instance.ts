import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { nodeSubject, sessionSubject } from '@sallyport/server/bus/bus'
import { type OperationContext, operation } from '../../operation.ts'
import { nodeResource } from '../../resources.ts'

/** The node's control channel closes, its sessions end, and it gets no more credentials (control-plane.md 23). */
export const deregisterManagedInstance = operation({
  input: ssmOperations.DeregisterManagedInstance.input,
  callers: ['user'],
  resources: (input, context) => [nodeResource(context, input.InstanceId)],
  run: async (context, { InstanceId }) => {
    const { store, scope, now, bus } = context
    const deregistered = await store.nodes.deregister(scope, InstanceId, now)
    if (!deregistered) throw new AwsError('InvalidInstanceId', `There is no managed node ${InstanceId}.`)
    // First whoever has its channels, who can tell the node about its sessions.
    await bus.publish(nodeSubject(scope, InstanceId), { type: 'deregistered' })
    await endSessions(context, InstanceId)
    await store.tags.clear(scope, 'ManagedInstance', InstanceId)
    for (const task of await store.tasks.listForNode(scope, InstanceId)) {
      await store.tasks.delete(scope, task.taskId)
    }
    return {}
  },
})

const PAGE = 500

/** No new one begins: StartSession knows that the node is gone. The agent learns of it on each data channel. */
async function endSessions({ store, scope, now, bus }: OperationContext, nodeId: string): Promise<void> {
  const reason = `${nodeId} was deregistered.`
  let ended = 0
  do {
    const { items } = await store.sessions.list(scope, 'Active', { target: nodeId }, { limit: PAGE })
    for (const { sessionId } of items) {
      await store.sessions.end(scope, sessionId, { status: 'Terminated', details: reason, now })
      await bus.publish(sessionSubject(scope, sessionId), { type: 'ended', output: reason })
    }
    ended = items.length
  } while (ended === PAGE)
}
