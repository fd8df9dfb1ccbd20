import { setImmediate as nextTurn } from 'node:timers/promises'
import { authenticationError } from '@sallyport/protocol/aws/error'
import type { CommandTarget } from '@sallyport/server/commands/commands'
import type { Denial } from '@sallyport/server/iam/access'
import { denialMessage } from '@sallyport/server/iam/denial'
import type { Person } from '@sallyport/server/iam/principal'
import { resourceTagConditions } from '@sallyport/server/iam/tag-conditions'
import { nodeResourceTypes } from '@sallyport/server/store/node-filters'
import type { ManagedNode } from '@sallyport/server/store/nodes'
import type { Tag } from '@sallyport/server/store/tags'
import type { OperationContext } from '../../operation.ts'
import { nodeResource } from '../../resources.ts'

const ACTION = 'ssm:SendCommand'
/** After so many decisions others have their turn. */
const DECISIONS_AT_ONCE = 100

export function toTarget({ nodeId, name, computerName }: ManagedNode): CommandTarget {
  return { nodeId, nodeName: name ?? computerName ?? '' }
}

/**
 * The nodes that targets mean, each decided for itself: to those that the caller may not command nothing is sent. Throws
 * `AccessDeniedException` if those are all.
 */
export async function decidedTargets(
  context: OperationContext,
  principal: Person,
  nodes: readonly ManagedNode[],
): Promise<CommandTarget[]> {
  const tags = await tagsOfNodes(context, nodes)
  const targets: CommandTarget[] = []
  let denial: Denial | undefined
  let allowed = 0
  for (const [count, node] of nodes.entries()) {
    if (count > 0 && count % DECISIONS_AT_ONCE === 0) await nextTurn()
    const check = {
      resource: nodeResource(context, node.nodeId),
      // Which nodes there are is not for those who may not command a single one.
      shown: nodeResource(context, node.kind === 'instance' ? 'i-*' : 'mi-*'),
      conditions: resourceTagConditions(tags.get(node.nodeId) ?? []),
    }
    const outcome = await context.access.decide(principal, { all: [check] }, ACTION, context.facts)
    if (outcome.allowed) allowed++
    else denial ??= outcome
    targets.push(outcome.allowed ? toTarget(node) : { ...toTarget(node), refused: 'AccessDenied' })
  }
  if (denial !== undefined && allowed === 0) {
    const message = denialMessage(principal, denial.check, denial.decision)
    throw authenticationError('access-denied', 'awsJson', message)
  }
  return targets
}

async function tagsOfNodes(
  { store, scope }: OperationContext,
  nodes: readonly ManagedNode[],
): Promise<Map<string, Tag[]>> {
  const found = new Map<string, Tag[]>()
  for (const kind of ['managed-instance', 'instance'] as const) {
    const ids = nodes.filter(node => node.kind === kind).map(node => node.nodeId)
    for (const [id, tags] of await store.tags.forResources(scope, nodeResourceTypes[kind], ids)) {
      found.set(id, tags)
    }
  }
  return found
}
