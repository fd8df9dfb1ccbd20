import type { DataChannel } from '@sallyport/protocol/data-channel'
import type { Destination } from './destination.ts'

/** How connections travel in the data channel of a port session (data-plane.md 15.1). */
export type PortMode = {
  start(): void
  /** Takes data from the client; false: not now, see `onInputRoom`. */
  deliver(payload: Uint8Array): boolean
  /** The channel takes output again. */
  onWritable(): void
  /** The client has no more input (ours only). */
  endInput(): void
  /** The client's connection is gone, and another may come (`DisconnectToPort`). */
  disconnect(): void
  /** Closes every connection, those that are being opened too. Harmless twice. */
  stop(): void
}

export type PortModeOptions = {
  channel: DataChannel
  destination: Destination
  onInputRoom: () => void
  /** One connection of many could not be opened, for the reason given. */
  onRefused: (reason: string) => void
  /** The session is over: what it was for has ended, or has failed for the reason given. */
  onEnd: (failure?: string) => void
}
