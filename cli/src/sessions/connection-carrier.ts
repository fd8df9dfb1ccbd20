import type { Socket } from 'node:net'
import type { ClientActivityContext } from './client-activity.ts'

/** How the connections of a port session travel in its data channel. */
export type ConnectionCarrier = {
  /** Takes a paused connection over. */
  accept(socket: Socket): void
  /** Bytes of the stream; false: not now. */
  deliver(payload: Uint8Array): boolean
  /** The channel takes output again. */
  onWritable(): void
  /** Ends every connection. Harmless twice. */
  close(): void
}

export type CarrierOptions = Pick<ClientActivityContext, 'channel' | 'inputRoom' | 'drained'> & {
  /** The node could not connect. */
  onRefused: (reason: string) => void
  /** What the node sends makes no sense: nothing more can be made of this session. */
  onBroken: (reason: string) => void
}
