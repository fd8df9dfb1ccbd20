import { ec2messagesOperations } from '@sallyport/protocol/api/ec2messages'
import { operation } from '../../operation.ts'
import { jobOfMessage, nodeOfMessage } from './message-id.ts'

/** The agent has the message. */
export const acknowledgeMessage = operation({
  input: ec2messagesOperations.AcknowledgeMessage.input,
  callers: ['node'],
  ownNode: nodeOfMessage,
  run: async (context, input, { nodeId }) => {
    await context.commands.accepted(nodeId, await jobOfMessage(context, nodeId, input))
    return {}
  },
})
