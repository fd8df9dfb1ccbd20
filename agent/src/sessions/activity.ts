import type { SessionTask } from '@sallyport/protocol/control-channel'
import type { DataChannel } from '@sallyport/protocol/data-channel'
import { jsonRecord, type RecordOf } from '@sallyport/protocol/json-record'

/** What a session does once its handshake is done; one kind per session type. */
export type Activity = {
  readonly sessionType: string
  /** For the client, as part of the handshake; null where the type has none. */
  readonly properties: unknown
  start(peer: { ownClient: boolean }): void
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
  /** The activity refused a payload before and can take it now. */
  onInputRoom: () => void
  /** The activity is over by itself. */
  onEnd: (status: string, output: string) => void
}

const documentFields = {
  schemaVersion: 'string',
  sessionType: 'string',
  inputs: 'json?',
  properties: 'json?',
} as const
export const documentRecord = jsonRecord('session document', documentFields)
export type SessionDocument = RecordOf<typeof documentFields>
