import { ec2Operations } from '@sallyport/protocol/api/ec2'
import { operation } from '../../operation.ts'
import { checkDryRun } from './dry-run.ts'
import type { Described } from './instances.ts'
import { listInstances } from './list-instances.ts'

/** `ok` is an instance whose agent is online: what scripts wait for before they begin. */
export const describeInstanceStatus = operation({
  input: ec2Operations.DescribeInstanceStatus.input,
  callers: ['person', 'node'],
  run: async (context, input) => {
    checkDryRun(input)
    const { items, nextToken } = await listInstances(context, input)
    const wanted = items.filter(({ state }) => input.IncludeAllInstances === true || state.name === 'running')
    return { instanceStatusSet: wanted.map(describeStatus), nextToken }
  },
})

function describeStatus({ node, state }: Described) {
  const status = state.name !== 'running' ? 'not-applicable' : node.connected ? 'ok' : 'initializing'
  const reachability = status === 'ok' ? 'passed' : status
  const summary = { status, details: [{ name: 'reachability', status: reachability }] }
  return { instanceId: node.nodeId, instanceState: state, systemStatus: summary, instanceStatus: summary }
}
