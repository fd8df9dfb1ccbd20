import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { operation } from '../../operation.ts'
import { nodeCheck } from '../../resource-conditions.ts'

/** Follows the control channel, not the pings; the words are lower case (control-plane.md 19). */
export const getConnectionStatus = operation({
  input: ssmOperations.GetConnectionStatus.input,
  callers: ['person'],
  access: async (input, context) => ({ all: [await nodeCheck(context, input.Target)] }),
  run: async ({ store, scope }, { Target }) => {
    const node = await store.nodes.get(scope, Target)
    const connected = node?.connected === true && node.deregisteredAt === null
    return { Target, Status: connected ? 'connected' : 'notconnected' }
  },
})
