import { ec2messagesOperations } from '@sallyport/protocol/api/ec2messages'
import { operation } from '../../operation.ts'
import { nodeOfMessage, noSuchMessage } from './message-id.ts'

/** What came of a message. None was delivered here, so none has a reply. */
export const sendReply = operation({
  input: ec2messagesOperations.SendReply.input,
  callers: ['node'],
  ownNode: nodeOfMessage,
  run: async (_context, { MessageId }, { nodeId }) => {
    throw noSuchMessage(nodeId, MessageId)
  },
})
