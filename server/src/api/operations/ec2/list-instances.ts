import type { Ec2Filter } from '@sallyport/protocol/api/ec2'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { Page } from '@sallyport/server/store/pages'
import type { OperationContext } from '../../operation.ts'
import { type Filters, matcherOf } from './filters.ts'
import {
  checkInstanceId,
  type Described,
  describeInstance,
  isShown,
  noSuchInstances,
  withBelongings,
} from './instances.ts'
import { fittingPage } from './pages.ts'

type ListInput = {
  readonly InstanceId?: readonly string[] | undefined
  readonly Filter?: readonly Ec2Filter[] | undefined
  readonly MaxResults?: number | undefined
  readonly NextToken?: string | undefined
}

/** Instances by id, that fit the filters. Of ids that are asked for, each must be there. */
export async function listInstances(context: OperationContext, input: ListInput): Promise<Page<Described>> {
  const { store, scope, now } = context
  const ids = input.InstanceId
  if (ids !== undefined) await checkIds(context, ids, input.MaxResults)
  const matches = matcherOf(filtersOf(context), input.Filter)
  return await fittingPage(
    input,
    async page => {
      const found = await store.nodes.list(scope, page, {
        kinds: ['instance'],
        includeDeregistered: true,
        ...(ids !== undefined && { nodeIds: [...ids] }),
      })
      return { ...found, items: await withBelongings(context, found.items) }
    },
    described => isShown(described.node, now) && matches(described),
  )
}

async function checkIds(
  { store, scope, now }: OperationContext,
  ids: readonly string[],
  maxResults: number | undefined,
): Promise<void> {
  if (maxResults !== undefined && ids.length > 0) {
    throw new AwsError(
      'InvalidParameterCombination',
      'The parameter instancesSet cannot be used with the parameter maxResults',
    )
  }
  for (const id of ids) checkInstanceId(id)
  const found = await store.nodes.list(
    scope,
    { limit: ids.length },
    { kinds: ['instance'], nodeIds: [...ids], includeDeregistered: true },
  )
  const known = new Set(found.items.filter(node => isShown(node, now)).map(({ nodeId }) => nodeId))
  const missing = ids.filter(id => !known.has(id))
  if (missing.length > 0) throw noSuchInstances(missing)
}

const nothing = () => []

/** Those of EC2's that say something of machines that are not Amazon's, and the usual ones that never do. */
function filtersOf(context: OperationContext): Filters<Described> {
  const given = (value: string | undefined | null) => (value === undefined || value === null ? [] : [value])
  return {
    tag: ({ tags }, key) => tags.find(({ Key }) => Key === key)?.Value,
    named: {
      'instance-id': ({ node }) => [node.nodeId],
      'instance-state-name': ({ state }) => [state.name],
      'instance-state-code': ({ state }) => [String(state.code)],
      'tag-key': ({ tags }) => tags.map(({ Key }) => Key),
      'tag-value': ({ tags }) => tags.map(({ Value }) => Value),
      'private-dns-name': ({ node }) => given(node.computerName),
      'private-ip-address': ({ node }) => given(node.ipAddress),
      'network-interface.addresses.private-ip-address': ({ node }) => given(node.ipAddress),
      'iam-instance-profile.arn': described =>
        given(describeInstance(context, described).iamInstanceProfile?.arn),
      'iam-instance-profile.id': ({ profile }) => given(profile?.profileId),
      'instance-type': described => [describeInstance(context, described).instanceType],
      platform: described => given(describeInstance(context, described).platform),
      'platform-details': described => given(describeInstance(context, described).platformDetails),
      'owner-id': () => [context.scope.accountId],
      'reservation-id': ({ node }) => [`r-${node.nodeId.slice('i-'.length)}`],
      architecture: nothing,
      'availability-zone': nothing,
      'dns-name': nothing,
      'image-id': nothing,
      'instance-lifecycle': nothing,
      'ip-address': nothing,
      'key-name': nothing,
      'subnet-id': nothing,
      'vpc-id': nothing,
    },
  }
}
