import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { DescribeInstanceInformationInput, InstanceInformation } from '@sallyport/protocol/api/ssm-nodes'
import { toTimestamp } from '@sallyport/protocol/api/ssm-types'
import { AwsError } from '@sallyport/protocol/aws/error'
import { type NodeFilters, nodeResourceTypes } from '@sallyport/server/store/node-filters'
import type { ManagedNode } from '@sallyport/server/store/nodes'
import type { Tag } from '@sallyport/server/store/tags'
import { operation } from '../../operation.ts'

const DEFAULT_PAGE = 50
const TAG_PREFIX = 'tag:'
const NODE_ID = /^(i-(\w{8}|\w{17})|mi-\w{17})$/
const KINDS = ['managed-instance', 'instance'] as const
const RESOURCE_TYPES = { 'managed-instance': 'ManagedInstance', instance: 'EC2Instance' } as const
const SOURCE_TYPES = {
  'managed-instance': 'AWS::SSM::ManagedInstance',
  instance: 'AWS::EC2::Instance',
} as const
const PLATFORM_TYPES = ['Windows', 'Linux', 'MacOS'] as const

/** control-plane.md 20 */
export const describeInstanceInformation = operation({
  input: ssmOperations.DescribeInstanceInformation.input,
  callers: ['person'],
  run: async ({ store, scope }, input) => {
    const filters = readFilters(input)
    // A value that no node can have: an empty page, as AWS answers.
    if (filters === undefined) return { InstanceInformationList: [] }
    const page = await store.nodes.list(
      scope,
      { limit: input.MaxResults ?? DEFAULT_PAGE, token: input.NextToken },
      filters,
    )
    const instances = page.items.filter(node => node.kind === 'instance').map(node => node.nodeId)
    const tags = await store.tags.forResources(scope, nodeResourceTypes.instance, instances)
    const nodes = page.items.map(node => describeNode(node, tags.get(node.nodeId) ?? []))
    return { InstanceInformationList: nodes, NextToken: page.nextToken }
  },
})

function describeNode(node: ManagedNode, tags: readonly Tag[]): InstanceInformation {
  const managed = node.kind === 'managed-instance'
  return {
    InstanceId: node.nodeId,
    PingStatus: node.connected ? 'Online' : 'ConnectionLost',
    LastPingDateTime: toTimestamp(node.lastPingAt ?? node.registeredAt),
    AgentVersion: node.agentVersion ?? undefined,
    IsLatestVersion: node.agentVersion === null ? undefined : true,
    PlatformType: PLATFORM_TYPES.find(type => type === node.platformType),
    PlatformName: node.platformName ?? undefined,
    PlatformVersion: node.platformVersion ?? undefined,
    ResourceType: RESOURCE_TYPES[node.kind],
    IPAddress: node.ipAddress ?? undefined,
    ComputerName: node.computerName ?? undefined,
    SourceId: node.nodeId,
    SourceType: SOURCE_TYPES[node.kind],
    ...(managed && {
      ActivationId: node.activationId ?? undefined,
      IamRole: node.iamRole ?? undefined,
      RegistrationDate: toTimestamp(node.registeredAt),
    }),
    // People name an instance by its tag, as on AWS; until they do it is called what its activation said.
    Name: (managed ? undefined : tags.find(({ Key }) => Key === 'Name')?.Value) ?? node.name ?? undefined,
  }
}

/** Values of one filter are alternatives, filters must all hold. Undefined if nothing can match. */
function readFilters(input: DescribeInstanceInformationInput): NodeFilters | undefined {
  const { Filters, InstanceInformationFilterList } = input
  if (Filters !== undefined && InstanceInformationFilterList !== undefined) {
    throw new AwsError(
      'ValidationException',
      'Give either Filters or InstanceInformationFilterList, not both.',
    )
  }
  const given = [
    ...(Filters ?? []).map(({ Key, Values }) => ({ key: Key, values: [...Values] })),
    ...(InstanceInformationFilterList ?? []).map(({ key, valueSet }) => ({ key, values: [...valueSet] })),
  ]
  let filters: NodeFilters | undefined = {}
  for (const { key, values } of given) filters = filters && addFilter(filters, key, values)
  return filters
}

function addFilter(filters: NodeFilters, key: string, values: string[]): NodeFilters | undefined {
  if (key.startsWith(TAG_PREFIX)) {
    return { ...filters, tags: [...(filters.tags ?? []), { key: key.slice(TAG_PREFIX.length), values }] }
  }
  switch (key) {
    case 'InstanceIds':
      checkNodeIds(values)
      return narrow(filters, 'nodeIds', values)
    case 'SourceIds':
      return narrow(filters, 'nodeIds', values)
    case 'AgentVersion':
      return narrow(filters, 'agentVersions', values)
    case 'PlatformTypes':
      return narrow(filters, 'platformTypes', values)
    case 'ActivationIds':
      return narrow(filters, 'activationIds', values)
    case 'IamRole':
      return narrow(filters, 'iamRoles', values)
    case 'PingStatus':
      return pingFilter(filters, values)
    case 'ResourceType':
      return narrow(filters, 'kinds', kindsOf(RESOURCE_TYPES, values))
    case 'SourceTypes':
      return narrow(filters, 'kinds', kindsOf(SOURCE_TYPES, values))
    case 'tag-key':
      return { ...filters, tags: [...(filters.tags ?? []), ...values.map(tagKey => ({ key: tagKey }))] }
    case 'AssociationStatus':
      return undefined
    default:
      throw new AwsError(
        'InvalidFilterKey',
        `'${key}' is not a filter. Filters are InstanceIds, AgentVersion, PingStatus, PlatformTypes, ActivationIds, IamRole, ResourceType, SourceIds, SourceTypes, tag-key and tag:<key>.`,
      )
  }
}

type ListFilter = Exclude<keyof NodeFilters, 'connected' | 'tags' | 'tagKeys' | 'includeDeregistered'>

/** What both the values so far and these allow; undefined if that is nothing. */
function narrow(filters: NodeFilters, name: ListFilter, values: readonly string[]): NodeFilters | undefined {
  const former: readonly string[] | undefined = filters[name]
  const both = former === undefined ? values : former.filter(value => values.includes(value))
  return both.length === 0 ? undefined : { ...filters, [name]: both }
}

function pingFilter(filters: NodeFilters, values: string[]): NodeFilters | undefined {
  const online = values.includes('Online')
  const lost = values.includes('ConnectionLost')
  if (online && lost) return filters
  const contradicts = filters.connected !== undefined && filters.connected !== online
  return (online || lost) && !contradicts ? { ...filters, connected: online } : undefined
}

function checkNodeIds(ids: readonly string[]): void {
  const wrong = ids.find(id => !NODE_ID.test(id))
  if (wrong === undefined) return
  throw new AwsError(
    'InvalidInstanceId',
    `'${wrong}' is no id of a node: they look like mi-0123456789abcdef0.`,
  )
}

function kindsOf(names: Readonly<Record<ManagedNode['kind'], string>>, values: readonly string[]) {
  return KINDS.filter(kind => values.includes(names[kind]))
}
