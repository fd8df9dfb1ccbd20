import { ec2messagesOperations } from '@sallyport/protocol/api/ec2messages'
import { operation } from '../../operation.ts'
import { jobOfMessage, nodeOfMessage } from './message-id.ts'

/** The agent is done with the message, or had it already: it is not to be delivered again. */
export const deleteMessage = operation({
  input: ec2messagesOperations.DeleteMessage.input,
  callers: ['node'],
  ownNode: nodeOfMessage,
  run: async (context, input, { nodeId }) => {
    await context.commands.accepted(nodeId, await jobOfMessage(context, nodeId, input))
    return {}
  },
})
