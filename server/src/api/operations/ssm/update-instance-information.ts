import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { NodeInformation } from '@sallyport/server/store/nodes'
import { operation } from '../../operation.ts'
import { checkMayBeOnline } from '../node-online.ts'

/** A node reports itself; the short form, without a status, is only a ping (control-plane.md 8.2-8.3). */
export const updateInstanceInformation = operation({
  input: ssmOperations.UpdateInstanceInformation.input,
  callers: ['node'],
  ownNode: input => input.InstanceId,
  access: async ({ InstanceId }, context) => {
    // Agents that are refused here hibernate: for what they need later they are refused later (control-plane.md 8.2).
    await checkMayBeOnline(context, InstanceId, 'awsJson', 'ssm:UpdateInstanceInformation')
    return { all: [{ resource: '*' }] }
  },
  run: async ({ store, scope, now }, input) => {
    const said: { [K in keyof NodeInformation]: string | undefined } = {
      agentName: input.AgentName,
      agentVersion: input.AgentVersion,
      platformType: input.PlatformType,
      platformName: input.PlatformName,
      platformVersion: input.PlatformVersion,
      computerName: input.ComputerName,
      ipAddress: input.IPAddress,
      connectionChannel: input.SSMConnectionChannel,
    }
    const information = Object.fromEntries(
      Object.entries(said).filter(([, value]) => value !== undefined && value !== ''),
    )
    const known = await store.nodes.updateInformation(scope, input.InstanceId, information, now)
    if (!known) throw new AwsError('InvalidInstanceId', `Node ${input.InstanceId} is not registered here.`)
    return {}
  },
})
