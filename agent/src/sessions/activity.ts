import type { SessionTask } from '@sallyport/protocol/control-channel'
import type { DataChannel } from '@sallyport/protocol/data-channel'
import { jsonRecord, type RecordOf } from '@sallyport/protocol/json-record'
import type { Log } from '../log.ts'
import type { DestinationRules } from './port/destination-rules.ts'

export type Peer = {
  /** `Sallyport/1` was agreed. */
  ownClient: boolean
  /** As announced; it is the client's word only (data-plane.md 12.5). */
  clientVersion: string
}

/** What a session does once its handshake is done; one kind per session type. */
export type Activity = {
  readonly sessionType: string
  /** For the client, as part of the handshake; null where the type has none. */
  readonly properties: unknown
  start(peer: Peer): void
  /** Takes a payload from the client; false: not now, see `onInputRoom`. */
  deliver(payloadType: number, payload: Uint8Array): boolean
  /** The channel takes output again. */
  onWritable(): void
  /** Ends everything that was started; resolves when it is gone. */
  stop(): Promise<void>
}

export type ActivityContext = {
  channel: DataChannel
  task: SessionTask
  asRoot: boolean
  stateDirectory: string
  env: Readonly<Record<string, string | undefined>>
  /** For what the client is not told; names the session by itself. */
  log: Log
  /** The activity refused a payload before and can take it now. */
  onInputRoom: () => void
  /** Where port sessions may connect to. */
  destinations: DestinationRules
  /** The activity is over by itself; `unheard`: nobody waits for output that has not arrived yet. */
  onEnd: (status: string, output: string, unheard?: 'unheard') => void
}

const documentFields = {
  schemaVersion: 'string',
  sessionType: 'string',
  parameters: 'json?',
  inputs: 'json?',
  properties: 'json?',
} as const
export const documentRecord = jsonRecord('session document', documentFields)
export type SessionDocument = RecordOf<typeof documentFields>
