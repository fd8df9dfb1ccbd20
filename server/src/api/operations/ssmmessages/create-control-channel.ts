import { createChannelResponse, ssmmessagesOperations } from '@sallyport/protocol/api/ssmmessages'
import { withChannelId } from '../../channel-input.ts'
import { operation } from '../../operation.ts'
import { checkMayBeOnline } from '../node-online.ts'

/** data-plane.md 6.2 */
export const createControlChannel = operation({
  input: withChannelId(ssmmessagesOperations.CreateControlChannel.input),
  callers: ['node'],
  ownNode: input => input.ChannelId,
  access: async ({ ChannelId }, context) => {
    await checkMayBeOnline(context, ChannelId, 'restXml')
    return { all: [{ resource: '*' }] }
  },
  run: async ({ channelTokens, now }, { ChannelId: nodeId }) => {
    const token = channelTokens.issue({ kind: 'control', channelId: nodeId, nodeId }, now)
    return { xml: createChannelResponse('control', token) }
  },
})
