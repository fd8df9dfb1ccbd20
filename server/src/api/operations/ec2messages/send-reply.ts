import { ec2messagesOperations, type SendReplyOutput } from '@sallyport/protocol/api/ec2messages'
import { AwsError } from '@sallyport/protocol/aws/error'
import { ProtocolError } from '@sallyport/protocol/errors'
import { type CommandReply, readCommandReply } from '@sallyport/protocol/run-command'
import { operation } from '../../operation.ts'
import { jobOfMessage, nodeOfMessage } from './message-id.ts'

/** What came of a message; stored when it is answered. */
export const sendReply = operation({
  input: ec2messagesOperations.SendReply.input,
  callers: ['node'],
  ownNode: nodeOfMessage,
  run: async (context, input, { nodeId }): Promise<SendReplyOutput> => {
    const { kind, commandId } = await jobOfMessage(context, nodeId, input)
    // Of a cancelling message it says nothing; the cancelled command reports by itself (control-plane.md 10.2).
    if (kind === 'command') await context.commands.reported(nodeId, commandId, read(input.Payload))
    const { MessageId, ReplyId } = input
    return { MessageId, ReplyId, ReplyStatus: 'Completed' }
  },
})

function read(payload: string): CommandReply {
  try {
    return readCommandReply(payload)
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    throw new AwsError('ValidationException', `Payload: ${error.message}`)
  }
}
