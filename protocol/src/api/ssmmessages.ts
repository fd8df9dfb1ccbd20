import { type Infer, s } from '../aws/shape.ts'
import { xmlDocument } from '../aws/xml.ts'

// data-plane.md 6.2 and 9.1

const MESSAGE_SCHEMA_VERSION = '1.0'

const common = {
  MessageSchemaVersion: s.string({ min: 1, max: 16 }),
  RequestId: s.string({ min: 1, max: 128 }),
}

const createControlChannel = s.structure(common, { required: ['MessageSchemaVersion', 'RequestId'] })

// Agents send an empty ClientId.
const createDataChannel = s.structure(
  { ...common, ClientId: s.string({ max: 128 }) },
  { required: ['MessageSchemaVersion', 'RequestId'] },
)

export const ssmmessagesOperations = {
  CreateControlChannel: { input: createControlChannel },
  CreateDataChannel: { input: createDataChannel },
} as const

export type CreateControlChannelInput = Infer<typeof createControlChannel>
export type CreateDataChannelInput = Infer<typeof createDataChannel>

/** The only status that agents take for success. */
export const CREATE_CHANNEL_STATUS = 201

/** The XML body that answers CreateControlChannel and CreateDataChannel; agents crash without a token in it. */
export function createChannelResponse(kind: 'control' | 'data', token: string): string {
  if (token === '') throw new Error('a channel cannot be created without a token')
  const root = kind === 'control' ? 'CreateControlChannelResponse' : 'CreateDataChannelResponse'
  return xmlDocument(root, { MessageSchemaVersion: MESSAGE_SCHEMA_VERSION, TokenValue: token })
}
