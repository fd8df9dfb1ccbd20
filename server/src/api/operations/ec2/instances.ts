import type { Instance, InstanceState } from '@sallyport/protocol/api/ec2'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { AccessCheck, ConditionValues } from '@sallyport/server/iam/access-plan'
import { nodeResourceTypes } from '@sallyport/server/store/node-filters'
import type { ManagedNode } from '@sallyport/server/store/nodes'
import type { InstanceProfileRow } from '@sallyport/server/store/schema'
import type { Tag } from '@sallyport/server/store/tags'
import type { OperationContext } from '../../operation.ts'
import { nodeCheck } from '../../resource-conditions.ts'
import { describeProfile } from './profiles.ts'

/** An instance with what belongs to it. */
export type Described = {
  node: ManagedNode
  state: InstanceState
  tags: readonly Tag[]
  profile: InstanceProfileRow | undefined
}

const INSTANCE_ID = /^i-([0-9a-f]{8}|[0-9a-f]{17})$/
/** An agent that may not be online asks at least every minute. */
const HEARD_OF_MS = 3 * 60_000
/** As long EC2 shows what was terminated. */
const TERMINATED_SHOWN_MS = 3600_000

export const STATES = {
  running: { code: 16, name: 'running' },
  terminated: { code: 48, name: 'terminated' },
  stopped: { code: 80, name: 'stopped' },
} as const satisfies Record<string, InstanceState>

/** We run no machines. One that is heard of runs, as does one whose agent is about to be started. */
export function stateOf(node: ManagedNode, now: number): InstanceState {
  if (node.deregisteredAt !== null) return STATES.terminated
  if (node.connected || node.connectedAt === null) return STATES.running
  const heard = Math.max(node.lastSeenAt ?? 0, node.lastPingAt ?? 0, node.disconnectedAt ?? 0)
  return now - heard < HEARD_OF_MS ? STATES.running : STATES.stopped
}

export function isShown(node: ManagedNode, now: number): boolean {
  return node.deregisteredAt === null || now - node.deregisteredAt < TERMINATED_SHOWN_MS
}

/** With their tags and profiles, which are read for all at once. */
export async function withBelongings(
  { store, scope, now }: OperationContext,
  nodes: readonly ManagedNode[],
): Promise<Described[]> {
  const ids = nodes.map(({ nodeId }) => nodeId)
  const [tags, associations, profiles] = await Promise.all([
    store.tags.forResources(scope, nodeResourceTypes.instance, ids),
    store.profileAssociations.forNodes(scope, ids),
    store.instanceProfiles.list(scope),
  ])
  const profileNames = new Map(associations.map(({ nodeId, profileName }) => [nodeId, profileName]))
  const byName = new Map(profiles.map(profile => [profile.profileName, profile]))
  return nodes.map(node => ({
    node,
    state: stateOf(node, now),
    tags: tags.get(node.nodeId) ?? [],
    profile: byName.get(profileNames.get(node.nodeId) ?? ''),
  }))
}

/** What is not known of a machine is left out: it has no image, no network and no price here. */
export function describeInstance(
  context: OperationContext,
  { node, state, tags, profile }: Described,
): Instance {
  const windows = node.platformType === 'Windows'
  return {
    instanceId: node.nodeId,
    instanceState: state,
    privateDnsName: node.computerName ?? '',
    dnsName: '',
    reason: state.name === 'terminated' ? 'It was deregistered.' : '',
    instanceType: 'self-managed',
    launchTime: new Date(node.registeredAt),
    platform: windows ? 'windows' : undefined,
    platformDetails: node.platformType === null ? undefined : windows ? 'Windows' : 'Linux/UNIX',
    monitoring: { state: 'disabled' },
    privateIpAddress: node.ipAddress ?? undefined,
    tagSet: tags.map(({ Key, Value }) => ({ key: Key, value: Value })),
    iamInstanceProfile: profile && describeProfile(context, profile),
  }
}

/** What an operation on one instance asks of policies. */
export async function instanceCheck(
  context: OperationContext,
  instanceId: string,
  conditions: ConditionValues = {},
): Promise<AccessCheck> {
  const tags = await context.access.tagsOf(nodeResourceTypes.instance, instanceId)
  const own = tags.map(({ Key, Value }): [string, string] => [`ec2:ResourceTag/${Key}`, Value])
  return await nodeCheck(context, instanceId, { ...Object.fromEntries(own), ...conditions })
}

/** The instance of this id, registered. Throws as EC2 does. */
export async function neededInstance(context: OperationContext, instanceId: string): Promise<ManagedNode> {
  checkInstanceId(instanceId)
  const node = await context.store.nodes.get(context.scope, instanceId)
  if (node?.kind === 'instance' && node.deregisteredAt === null) return node
  throw noSuchInstances([instanceId])
}

export function checkInstanceId(instanceId: string): void {
  if (INSTANCE_ID.test(instanceId)) return
  const managed = instanceId.startsWith('mi-')
    ? ' It is a managed instance, which has its role by its activation. Nodes that register with --as-instance have ids that begin with i-.'
    : ''
  throw new AwsError('InvalidInstanceID.Malformed', `Invalid id: "${instanceId}".${managed}`)
}

export function noSuchInstances(ids: readonly string[]): AwsError {
  const text =
    ids.length === 1
      ? `The instance ID '${ids[0]}' does not exist`
      : `The instance IDs '${ids.join(', ')}' do not exist`
  return new AwsError('InvalidInstanceID.NotFound', text)
}
