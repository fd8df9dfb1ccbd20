import { type DescribeInstancesOutput, ec2Operations } from '@sallyport/protocol/api/ec2'
import { operation } from '../../operation.ts'
import { checkDryRun } from './dry-run.ts'
import { describeInstance } from './instances.ts'
import { listInstances } from './list-instances.ts'

/** control-plane.md 30. Each instance is a reservation of its own. */
export const describeInstances = operation({
  input: ec2Operations.DescribeInstances.input,
  callers: ['person', 'node'],
  run: async (context, input): Promise<DescribeInstancesOutput> => {
    checkDryRun(input)
    const { items, nextToken } = await listInstances(context, input)
    return {
      reservationSet: items.map(described => ({
        reservationId: `r-${described.node.nodeId.slice('i-'.length)}`,
        ownerId: context.scope.accountId,
        groupSet: [],
        instancesSet: [describeInstance(context, described)],
      })),
      nextToken,
    }
  },
})
