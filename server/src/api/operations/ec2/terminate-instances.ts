import { ec2Operations, type TerminateInstancesOutput } from '@sallyport/protocol/api/ec2'
import { operation } from '../../operation.ts'
import { deregisterNode } from '../ssm/deregister-node.ts'
import { checkDryRun } from './dry-run.ts'
import { instanceCheck, neededInstance, STATES, stateOf } from './instances.ts'

/** Ends what there is here of an instance, its registration. The machine is not ours: it runs on. */
export const terminateInstances = operation({
  input: ec2Operations.TerminateInstances.input,
  callers: ['person'],
  access: async ({ InstanceId }, context) => ({
    all: await Promise.all(InstanceId.map(id => instanceCheck(context, id))),
  }),
  changesAccess: true,
  run: async (context, input): Promise<TerminateInstancesOutput> => {
    checkDryRun(input)
    const nodes = []
    for (const id of new Set(input.InstanceId)) nodes.push(await neededInstance(context, id))
    for (const { nodeId } of nodes) await deregisterNode(context, nodeId)
    return {
      instancesSet: nodes.map(node => ({
        instanceId: node.nodeId,
        currentState: STATES.terminated,
        previousState: stateOf(node, context.now),
      })),
    }
  },
})
