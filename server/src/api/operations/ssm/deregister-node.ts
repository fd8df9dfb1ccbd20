import { nodeSubject, sessionSubject } from '@sallyport/server/bus/bus'
import { kindOfNode, nodeResourceTypes } from '@sallyport/server/store/node-filters'
import type { OperationContext } from '../../operation.ts'

/**
 * The node's control channel closes, its sessions end, its commands fail, it loses what belongs to it, and it gets no
 * more credentials (control-plane.md 23). False if there is no such node registered.
 */
export async function deregisterNode(context: OperationContext, nodeId: string): Promise<boolean> {
  const { store, scope, now, bus, commands } = context
  if (!(await store.nodes.deregister(scope, nodeId, now))) return false
  // First whoever has its channels, who can tell the node about its sessions.
  await bus.publish(nodeSubject(scope, nodeId), { type: 'deregistered' })
  await all([
    () => endSessions(context, nodeId),
    () => commands.nodeGone(nodeId),
    () => store.profileAssociations.removeForNode(scope, nodeId),
    () => store.tags.clear(scope, nodeResourceTypes[kindOfNode(nodeId)], nodeId),
    () => removeTasks(context, nodeId),
  ])
  return true
}

/** One after the other, and none is left out because one before it failed: nobody can ask for the rest afterwards. */
async function all(steps: ReadonlyArray<() => Promise<unknown>>): Promise<void> {
  const errors: unknown[] = []
  for (const step of steps) await step().catch((error: unknown) => errors.push(error))
  if (errors.length > 0) throw errors[0]
}

async function removeTasks({ store, scope }: OperationContext, nodeId: string): Promise<void> {
  for (const { taskId } of await store.tasks.listForNode(scope, nodeId)) {
    await store.tasks.delete(scope, taskId)
  }
}

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
