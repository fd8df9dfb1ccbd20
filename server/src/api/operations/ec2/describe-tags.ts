import { type DescribeTagsOutput, ec2Operations } from '@sallyport/protocol/api/ec2'
import { nodeResourceTypes } from '@sallyport/server/store/node-filters'
import type { ResourceTag } from '@sallyport/server/store/tags'
import { operation } from '../../operation.ts'
import { checkDryRun } from './dry-run.ts'
import { type Filters, matcherOf } from './filters.ts'
import { fittingPage } from './pages.ts'

const RESOURCE_TYPE = 'instance'

const filters: Filters<ResourceTag> = {
  tag: ({ Key, Value }, key) => (Key === key ? Value : undefined),
  named: {
    'resource-id': ({ resourceId }) => [resourceId],
    'resource-type': () => [RESOURCE_TYPE],
    key: ({ Key }) => [Key],
    value: ({ Value }) => [Value],
  },
}

/** control-plane.md 30 */
export const describeTags = operation({
  input: ec2Operations.DescribeTags.input,
  callers: ['person', 'node'],
  run: async ({ store, scope }, input): Promise<DescribeTagsOutput> => {
    checkDryRun(input)
    const { items, nextToken } = await fittingPage(
      input,
      page => store.tags.ofType(scope, nodeResourceTypes.instance, page),
      matcherOf(filters, input.Filter),
    )
    const tagSet = items.map(({ resourceId, Key, Value }) => ({
      resourceId,
      resourceType: RESOURCE_TYPE,
      key: Key,
      value: Value,
    })) satisfies DescribeTagsOutput['tagSet']
    return { tagSet, nextToken }
  },
})
