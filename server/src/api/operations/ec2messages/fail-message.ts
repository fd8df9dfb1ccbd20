import { ec2messagesOperations } from '@sallyport/protocol/api/ec2messages'
import { operation } from '../../operation.ts'
import { nodeOfMessage, noSuchMessage } from './message-id.ts'

/** The agent cannot handle the message. None was delivered here. */
export const failMessage = operation({
  input: ec2messagesOperations.FailMessage.input,
  callers: ['node'],
  ownNode: nodeOfMessage,
  run: async (_context, { MessageId }, { nodeId }) => {
    throw noSuchMessage(nodeId, MessageId)
  },
})
