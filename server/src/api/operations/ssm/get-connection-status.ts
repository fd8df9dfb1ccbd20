import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { operation } from '../../operation.ts'
import { nodeResource } from '../../resources.ts'

/** Follows the control channel, not the pings; the words are lower case (control-plane.md 19). */
export const getConnectionStatus = operation({
  input: ssmOperations.GetConnectionStatus.input,
  callers: ['user'],
  resources: (input, context) => [nodeResource(context, input.Target)],
  run: async ({ store, scope }, { Target }) => {
    const node = await store.nodes.get(scope, Target)
    const connected = node?.connected === true && node.deregisteredAt === null
    return { Target, Status: connected ? 'connected' : 'notconnected' }
  },
})
