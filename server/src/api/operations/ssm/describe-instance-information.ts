import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { DescribeInstanceInformationInput, InstanceInformation } from '@sallyport/protocol/api/ssm-nodes'
import { toTimestamp } from '@sallyport/protocol/api/ssm-types'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { NodeFilters } from '@sallyport/server/store/node-filters'
import type { ManagedNode } from '@sallyport/server/store/nodes'
import { operation } from '../../operation.ts'

const DEFAULT_PAGE = 50
const TAG_PREFIX = 'tag:'
const PLATFORM_TYPES = ['Windows', 'Linux', 'MacOS'] as const

/** control-plane.md 20 */
export const describeInstanceInformation = operation({
  input: ssmOperations.DescribeInstanceInformation.input,
  callers: ['user'],
  run: async ({ store, scope }, input) => {
    const filters = readFilters(input)
    // A value that no node can have: an empty page, as AWS answers.
    if (filters === undefined) return { InstanceInformationList: [] }
    const page = await store.nodes.list(
      scope,
      { limit: input.MaxResults ?? DEFAULT_PAGE, token: input.NextToken },
      filters,
    )
    return { InstanceInformationList: page.items.map(describeNode), NextToken: page.nextToken }
  },
})

function describeNode(node: ManagedNode): InstanceInformation {
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
    ResourceType: managed ? 'ManagedInstance' : 'EC2Instance',
    IPAddress: node.ipAddress ?? undefined,
    ComputerName: node.computerName ?? undefined,
    SourceId: node.nodeId,
    SourceType: managed ? 'AWS::SSM::ManagedInstance' : 'AWS::EC2::Instance',
    ...(managed && {
      ActivationId: node.activationId ?? undefined,
      IamRole: node.iamRole ?? undefined,
      RegistrationDate: toTimestamp(node.registeredAt),
      Name: node.name ?? undefined,
    }),
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
  const both = (old: string[] | undefined) =>
    old === undefined ? values : old.filter(value => values.includes(value))
  switch (key) {
    case 'InstanceIds':
    case 'SourceIds':
      return { ...filters, nodeIds: both(filters.nodeIds) }
    case 'AgentVersion':
      return { ...filters, agentVersions: both(filters.agentVersions) }
    case 'PlatformTypes':
      return { ...filters, platformTypes: both(filters.platformTypes) }
    case 'ActivationIds':
      return { ...filters, activationIds: both(filters.activationIds) }
    case 'IamRole':
      return { ...filters, iamRoles: both(filters.iamRoles) }
    case 'PingStatus':
      return pingFilter(filters, values)
    case 'ResourceType':
      return { ...filters, kinds: values.flatMap(kindOfResource) }
    case 'SourceTypes':
      return { ...filters, kinds: values.flatMap(kindOfSource) }
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

function pingFilter(filters: NodeFilters, values: string[]): NodeFilters | undefined {
  const online = values.includes('Online')
  const lost = values.includes('ConnectionLost')
  if (online && lost) return filters
  return online || lost ? { ...filters, connected: online } : undefined
}

function kindOfResource(type: string): ManagedNode['kind'][] {
  return type === 'ManagedInstance' ? ['managed-instance'] : type === 'EC2Instance' ? ['instance'] : []
}

function kindOfSource(type: string): ManagedNode['kind'][] {
  return type === 'AWS::SSM::ManagedInstance'
    ? ['managed-instance']
    : type === 'AWS::EC2::Instance'
      ? ['instance']
      : []
}
