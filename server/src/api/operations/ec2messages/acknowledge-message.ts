import { ec2messagesOperations } from '@sallyport/protocol/api/ec2messages'
import { operation } from '../../operation.ts'
import { nodeOfMessage, noSuchMessage } from './message-id.ts'

/** The agent has the message. None was delivered here, so there is none to acknowledge. */
export const acknowledgeMessage = operation({
  input: ec2messagesOperations.AcknowledgeMessage.input,
  callers: ['node'],
  ownNode: nodeOfMessage,
  run: async (_context, { MessageId }, { nodeId }) => {
    throw noSuchMessage(nodeId, MessageId)
  },
})
