import { AwsError } from '@sallyport/protocol/aws/error'
import type { NodeLack } from '../iam/node-roles.ts'
import type { ManagedNode } from '../store/nodes.ts'
import type { OperationContext } from './operation.ts'

/** The node that a session is wanted on, connected. Throws `TargetNotConnected`, which says what is the matter. */
export async function connectedNode(
  { store, scope, now, nodeRoles }: OperationContext,
  target: string,
): Promise<ManagedNode> {
  const node = await store.nodes.get(scope, target)
  const lack = node && node.deregisteredAt === null ? await nodeRoles.missing(node) : undefined
  if (node?.connected && node.deregisteredAt === null && lack === undefined) return node
  throw new AwsError('TargetNotConnected', `${target} is not connected: ${whyNot(node, lack, now)}`)
}

function whyNot(node: ManagedNode | undefined, lack: NodeLack | undefined, now: number): string {
  if (node === undefined)
    return 'no node with this id was ever registered here. `sallyport nodes` lists those that were.'
  if (node.deregisteredAt !== null) return `it was deregistered ${ago(now - node.deregisteredAt)} ago.`
  if (lack !== undefined) return lack.why
  if (node.connectedAt === null) {
    return `it registered ${ago(now - node.registeredAt)} ago, but its agent has not connected yet. Is it running? See \`sallyport agent status\` on the node.`
  }
  const since = node.disconnectedAt ?? node.lastPingAt ?? node.connectedAt
  return `its agent went away ${ago(now - since)} ago. Is the machine up, and can it reach this server?`
}

const UNITS: ReadonlyArray<readonly [milliseconds: number, name: string]> = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1000, 'second'],
]

function ago(milliseconds: number): string {
  for (const [size, name] of UNITS) {
    const count = Math.floor(milliseconds / size)
    if (count >= 1) return `${count} ${name}${count === 1 ? '' : 's'}`
  }
  return 'a moment'
}
