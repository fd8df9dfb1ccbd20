import { ec2messagesOperations, type GetMessagesOutput } from '@sallyport/protocol/api/ec2messages'
import { operation } from '../../operation.ts'

/**
 * The long poll of agents that have no control channel, or not yet (control-plane.md 11.5). Everything that there
 * is to tell a node goes through its control channel, so the answer is empty, and comes late.
 */
export const getMessages = operation({
  input: ec2messagesOperations.GetMessages.input,
  callers: ['node'],
  ownNode: input => input.Destination,
  run: async ({ polls, gone }, { Destination, MessagesRequestId }): Promise<GetMessagesOutput> => {
    await polls.hold(Destination, gone)
    return { Destination, MessagesRequestId, Messages: [] }
  },
})
