import { type DescribeAssociationsOutput, ec2Operations } from '@sallyport/protocol/api/ec2'
import type { ProfileAssociationRow } from '@sallyport/server/store/schema'
import { operation } from '../../operation.ts'
import { checkDryRun } from './dry-run.ts'
import { type Filters, matcherOf } from './filters.ts'
import { fittingPage } from './pages.ts'
import { describeAssociation, noSuchAssociation } from './profiles.ts'

const filters: Filters<ProfileAssociationRow> = {
  named: { 'instance-id': ({ nodeId }) => [nodeId], state: () => ['associated'] },
}

/** control-plane.md 30 */
export const describeIamInstanceProfileAssociations = operation({
  input: ec2Operations.DescribeIamInstanceProfileAssociations.input,
  callers: ['person', 'node'],
  run: async (context, input): Promise<DescribeAssociationsOutput> => {
    checkDryRun(input)
    const { store, scope } = context
    for (const id of input.AssociationId ?? []) {
      if ((await store.profileAssociations.get(scope, id)) === undefined) throw noSuchAssociation(id)
    }
    const wanted = input.AssociationId && new Set(input.AssociationId)
    const matches = matcherOf(filters, input.Filter)
    const { items, nextToken } = await fittingPage(
      input,
      page => store.profileAssociations.page(scope, page),
      association => (wanted?.has(association.associationId) ?? true) && matches(association),
    )
    const described = items.map(association => describeAssociation(context, association))
    return { iamInstanceProfileAssociationSet: await Promise.all(described), nextToken }
  },
})
