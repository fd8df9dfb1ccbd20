import type { OperationTable } from '../../operation.ts'
import { acknowledgeMessage } from './acknowledge-message.ts'
import { deleteMessage } from './delete-message.ts'
import { failMessage } from './fail-message.ts'
import { getEndpoint } from './get-endpoint.ts'
import { getMessages } from './get-messages.ts'
import { sendReply } from './send-reply.ts'

export const ec2messages: OperationTable = {
  AcknowledgeMessage: acknowledgeMessage,
  DeleteMessage: deleteMessage,
  FailMessage: failMessage,
  GetEndpoint: getEndpoint,
  GetMessages: getMessages,
  SendReply: sendReply,
}
