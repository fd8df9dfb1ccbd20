import { ec2messagesOperations } from '@sallyport/protocol/api/ec2messages'
import { operation } from '../../operation.ts'
import { jobOfMessage, nodeOfMessage } from './message-id.ts'

const REASONS = {
  NoHandlerExists: 'The agent has nothing that handles such a message.',
  InternalHandlerException: 'The agent could not handle the message.',
} as const

/** The agent cannot handle the message: no other try will go better, so the failure is given as the code, which is final. */
export const failMessage = operation({
  input: ec2messagesOperations.FailMessage.input,
  callers: ['node'],
  ownNode: nodeOfMessage,
  run: async (context, input, { nodeId }) => {
    const job = await jobOfMessage(context, nodeId, input)
    await context.commands.refused(nodeId, job, input.FailureType, REASONS[input.FailureType])
    return {}
  },
})
