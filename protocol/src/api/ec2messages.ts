import { type Infer, s } from '../aws/shape.ts'
import { nodeId } from './ssm-types.ts'

// control-plane.md 9

/** Before the dot of `X-Amz-Target`. */
export const EC2MESSAGES_TARGET_PREFIX = 'EC2WindowsMessageDeliveryService'

const requestId = s.string({ min: 1, max: 128 })
// aws.ssm.<commandId>.<nodeId>
const messageId = s.string({ min: 1, max: 256 })
// The agent cuts each output at 24,000 characters, but a reply holds those of every step.
const replyPayload = s.string({ min: 1, max: 1_048_576 })

const getMessages = s.structure(
  {
    Destination: nodeId,
    MessagesRequestId: requestId,
    VisibilityTimeoutInSeconds: s.integer({ min: 0, max: 43_200 }),
    NextToken: s.string({ max: 4096 }),
  },
  { required: ['Destination', 'MessagesRequestId'] },
)

const acknowledgeMessage = s.structure({ MessageId: messageId }, { required: ['MessageId'] })

const sendReply = s.structure(
  { MessageId: messageId, Payload: replyPayload, ReplyId: requestId },
  { required: ['MessageId', 'Payload', 'ReplyId'] },
)

const failMessage = s.structure(
  {
    MessageId: messageId,
    FailureType: s.string({ enum: ['InternalHandlerException', 'NoHandlerExists'] }),
  },
  { required: ['MessageId', 'FailureType'] },
)

const deleteMessage = s.structure({ MessageId: messageId }, { required: ['MessageId'] })

const getEndpoint = s.structure({ Destination: nodeId }, { required: ['Destination'] })

export const ec2messagesOperations = {
  GetMessages: { input: getMessages },
  AcknowledgeMessage: { input: acknowledgeMessage },
  SendReply: { input: sendReply },
  FailMessage: { input: failMessage },
  DeleteMessage: { input: deleteMessage },
  GetEndpoint: { input: getEndpoint },
} as const

export type GetMessagesInput = Infer<typeof getMessages>
export type AcknowledgeMessageInput = Infer<typeof acknowledgeMessage>
export type SendReplyInput = Infer<typeof sendReply>
export type FailMessageInput = Infer<typeof failMessage>
export type DeleteMessageInput = Infer<typeof deleteMessage>

/** Agents dereference every member (control-plane.md 9). `CreatedDate` is ISO 8601 with milliseconds. */
export type DeliveredMessage = {
  readonly MessageId: string
  readonly Destination: string
  readonly Topic: string
  /** JSON as text. */
  readonly Payload: string
  readonly CreatedDate: string
  /** SHA-256 of `Payload` in hexadecimal, which nobody checks. */
  readonly PayloadDigest: string
}

export type GetMessagesOutput = {
  readonly Destination: string
  readonly MessagesRequestId: string
  readonly Messages: readonly DeliveredMessage[]
}

export type SendReplyOutput = {
  readonly MessageId?: string | undefined
  readonly ReplyId?: string | undefined
  readonly ReplyStatus?: string | undefined
}
