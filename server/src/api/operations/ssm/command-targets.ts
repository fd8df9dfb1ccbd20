import type { CommandTargetInput, SendCommandInput } from '@sallyport/protocol/api/ssm-commands'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { NodeFilters } from '@sallyport/server/store/node-filters'
import type { ManagedNode } from '@sallyport/server/store/nodes'
import type { OperationContext } from '../../operation.ts'

/** There are no resource groups here: a group is the nodes that have its name in this tag. */
const GROUP_TAG = 'resource-group'
const GROUP_NAME = 'resource-groups:Name'
const GROUP_TYPES = 'resource-groups:ResourceTypeFilters'
/** Ours: of whatever else is targeted those that are connected. */
const PING_STATUS = 'sallyport:PingStatus'
const TAG_PREFIX = 'tag:'
const NODE_ID = /^(i-(\w{8}|\w{17})|mi-\w{17})$/
const PAGE = 1000
/** In lower case, as CloudFormation calls the two kinds of node. */
const RESOURCE_TYPES: Readonly<Record<string, ManagedNode['kind']>> = {
  'aws::ec2::instance': 'instance',
  'aws::ssm::managedinstance': 'managed-instance',
}

/** Nodes that the request names one by one, in either of the two ways: no id is there twice. */
export function namedNodes({ InstanceIds = [], Targets = [] }: SendCommandInput): string[] {
  const named = Targets.filter(({ Key }) => isInstanceIds(Key)).flatMap(({ Values }) => Values ?? [])
  return [...new Set([...InstanceIds, ...named])]
}

export function isNodeId(text: string): boolean {
  return NODE_ID.test(text)
}

/** Guides write `instanceIds` as well as `InstanceIds`. */
function isInstanceIds(key: string | undefined): boolean {
  return key?.toLowerCase() === 'instanceids'
}

/** The registered ones among these, in this order. Throws `InvalidInstanceId` which says which are not. */
export async function registeredNodes(
  { store, scope }: OperationContext,
  nodeIds: readonly string[],
): Promise<ManagedNode[]> {
  const ids = nodeIds.filter(isNodeId)
  const page = { limit: PAGE }
  const found =
    ids.length === 0 ? [] : (await store.nodes.list(scope, page, { nodeIds: [...new Set(ids)] })).items
  const byId = new Map(found.map(node => [node.nodeId, node]))
  const unknown = nodeIds.filter(id => !byId.has(id))
  if (unknown.length > 0) {
    throw new AwsError('InvalidInstanceId', `Not registered here: ${unknown.join(', ')}.`)
  }
  return nodeIds.flatMap(id => byId.get(id) ?? [])
}

/** Throws `DuplicateInstanceId`. */
export function checkDuplicates(nodeIds: readonly string[]): void {
  const repeated = nodeIds.filter((id, place) => nodeIds.indexOf(id) !== place)
  if (repeated.length === 0) return
  throw new AwsError('DuplicateInstanceId', `Named more than once: ${[...new Set(repeated)].join(', ')}.`)
}

/**
 * The registered nodes that all of the targets mean, online or not, by id. One target means whatever one of its values
 * does. Throws `InvalidInstanceId` for ids that are nobody's, `ValidationException` for what no target can be.
 */
export async function targetedNodes(
  context: OperationContext,
  targets: readonly CommandTargetInput[],
): Promise<ManagedNode[]> {
  const { store, scope } = context
  const named = targets.filter(({ Key }) => isInstanceIds(Key)).flatMap(({ Values = [] }) => Values)
  await registeredNodes(context, [...new Set(named)])
  let filters: NodeFilters | undefined = {}
  for (const target of targets) filters = filters && addTarget(filters, target)
  if (filters === undefined) return []
  const nodes: ManagedNode[] = []
  let token: string | undefined
  do {
    const page = await store.nodes.list(scope, { limit: PAGE, token }, filters)
    nodes.push(...page.items)
    token = page.nextToken
  } while (token !== undefined)
  return nodes
}

/** Undefined if nothing can be all of it. */
function addTarget(filters: NodeFilters, target: CommandTargetInput): NodeFilters | undefined {
  const { Key = '' } = target
  const values = [...(target.Values ?? [])]
  if (values.length === 0) throw invalid(`the target '${Key}' has no values.`)
  const { tags = [], tagKeys = [] } = filters
  if (isInstanceIds(Key)) return narrowed(filters, 'nodeIds', values)
  if (Key === PING_STATUS && values.join() === 'Online') return { ...filters, connected: true }
  if (Key === GROUP_NAME) return { ...filters, tags: [...tags, { key: GROUP_TAG, values }] }
  if (Key === GROUP_TYPES) {
    const kinds = values.flatMap(value => RESOURCE_TYPES[value.toLowerCase()] ?? [])
    // Of the resources in groups: it must not mean every node of this kind.
    return narrowed({ ...filters, tagKeys: [...tagKeys, [GROUP_TAG]] }, 'kinds', kinds)
  }
  if (Key === 'tag-key') return { ...filters, tagKeys: [...tagKeys, values] }
  if (Key.startsWith(TAG_PREFIX) && Key.length > TAG_PREFIX.length) {
    return { ...filters, tags: [...tags, { key: Key.slice(TAG_PREFIX.length), values }] }
  }
  throw invalid(
    `'${Key}' is no target. Targets are InstanceIds, tag:<key>, tag-key, ${PING_STATUS} (Online), ${GROUP_NAME} (nodes whose tag ${GROUP_TAG} has this name) and ${GROUP_TYPES}.`,
  )
}

function narrowed<K extends 'nodeIds' | 'kinds'>(
  filters: NodeFilters,
  name: K,
  values: NonNullable<NodeFilters[K]>,
): NodeFilters | undefined {
  const former: readonly string[] | undefined = filters[name]
  const both = values.filter(value => former?.includes(value) ?? true)
  return both.length === 0 ? undefined : { ...filters, [name]: both }
}

function invalid(what: string): AwsError {
  return new AwsError('ValidationException', `Targets: ${what}`)
}
