import { ByteReader, ByteWriter, decodeUtf8, utf8 } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { jsonRecord, type RecordOf } from './json-record.ts'

// Payloads of the data channel, and the text frames that open both channels. Control-channel payloads are in
// control-channel.ts, the handshake's in handshake.ts.

/** data-plane.md 10.4 */
export const acknowledgePayload = jsonRecord('acknowledge', {
  AcknowledgedMessageType: 'string',
  AcknowledgedMessageId: 'string',
  AcknowledgedMessageSequenceNumber: 'number',
  IsSequentialMessage: 'boolean?',
  /** Ours, once `Sallyport/1` is agreed: every message up to this number has been consumed. */
  AcknowledgedThrough: 'number?',
})

/** data-plane.md 9.5 */
export const sessionStatePayload = jsonRecord('agent_session_state', {
  SchemaVersion: 'number',
  SessionState: 'string',
  SessionId: 'string',
})
export const SessionState = { connected: 'Connected', terminating: 'Terminating' } as const

const channelClosedFields = {
  MessageType: 'string',
  MessageId: 'string',
  DestinationId: 'string',
  SessionId: 'string',
  SchemaVersion: 'number',
  CreatedDate: 'string',
  Output: 'string?',
} as const
/** data-plane.md 7.5: SchemaVersion must be a number and CreatedDate a string, or a stock agent ignores it. */
export const channelClosedPayload = jsonRecord('channel_closed', channelClosedFields)
export type ChannelClosed = RecordOf<typeof channelClosedFields>

/** Ours: what the gateway has to say to the person at the client, for example that the session ends soon. */
export const sessionNoticePayload = jsonRecord('session_notice', { Text: 'string' })

const openControlChannelFields = {
  Cookie: 'json?',
  MessageSchemaVersion: 'string',
  RequestId: 'string',
  TokenValue: 'string',
  AgentVersion: 'string?',
  PlatformType: 'string?',
} as const
/** data-plane.md 6.4: `Cookie` is written by stock agents, always null. */
export const openControlChannel = jsonRecord('OpenControlChannel', openControlChannelFields)

const openDataChannelFields = {
  MessageSchemaVersion: 'string',
  RequestId: 'string',
  TokenValue: 'string',
  ClientInstanceId: 'string?',
  ClientId: 'string?',
  ClientVersion: 'string?',
} as const
/** data-plane.md 9.3: `ClientInstanceId` marks the agent's end. */
export const openDataChannel = jsonRecord('OpenDataChannel', openDataChannelFields)
export type OpenDataChannel = RecordOf<typeof openDataChannelFields>

const sizeRecord = jsonRecord('Size', { cols: 'number', rows: 'number' })
const MAXIMUM_CELLS = 65_535

export type TerminalSize = { cols: number; rows: number }

export function encodeSize(size: TerminalSize): Uint8Array {
  return sizeRecord.encode(size)
}

/** Columns and rows of a terminal; 0 is legal (a terminal without a size), more than a tty can hold is not. */
export function decodeSize(payload: Uint8Array): TerminalSize {
  const size = sizeRecord.decode(payload)
  for (const cells of [size.cols, size.rows]) {
    if (!Number.isInteger(cells) || cells < 0 || cells > MAXIMUM_CELLS) {
      throw new ProtocolError(
        'bad-payload',
        `a terminal cannot have ${size.cols} columns and ${size.rows} rows`,
      )
    }
  }
  return size
}

export function encodeFlag(flag: number): Uint8Array {
  return new ByteWriter(4).uint32(flag).finish()
}

export function decodeFlag(payload: Uint8Array): number {
  if (payload.length !== 4)
    throw new ProtocolError('bad-payload', `a Flag has 4 bytes, this one ${payload.length}`)
  return new ByteReader(payload).uint32()
}

const EXIT_CODE_PREFIX = 'EXIT_CODE: '

export function encodeExitCode(exitCode: number): Uint8Array {
  return utf8(`${EXIT_CODE_PREFIX}${exitCode}`)
}

export function decodeExitCode(payload: Uint8Array): number {
  const exitCode = /^EXIT_CODE: (-?\d{1,10})$/.exec(decodeUtf8(payload))?.[1]
  if (exitCode === undefined)
    throw new ProtocolError('bad-payload', 'an ExitCode payload reads `EXIT_CODE: <n>`')
  return Number(exitCode)
}
