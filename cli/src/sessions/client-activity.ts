import type { DataChannel } from '@sallyport/protocol/data-channel'
import type { SessionEnd, SessionOptions } from '../attach.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** What the agent's end has said of itself; an agent that begins without a handshake says nothing. */
export type AgentPeer = {
  /** Ours: `Sallyport/1` is agreed. */
  ownAgent: boolean
  /** Empty without a handshake. */
  agentVersion: string
  /** Of the session document, for session types that have any. */
  properties: unknown
}

/** What a client does in a session, by its type. Made before the agent is there, or once it has said the type. */
export type ClientActivity = {
  /** How a person gets out while the connection is lost, in brackets; may be empty. */
  readonly wayOut: string
  /** The agent takes input. */
  start(peer: AgentPeer): void
  /** Takes a payload, perhaps before `start`; false: not now, see `inputRoom`. */
  deliver(payloadType: number, payload: Uint8Array): boolean
  /** The channel takes output again. */
  onWritable(): void
  onLink(up: boolean): void
  /** The session is over. */
  stop(): void
}

export type ClientActivityContext = Pick<SessionOptions, 'onSignals'> & {
  readonly sessionId: string
  readonly channel: DataChannel
  readonly terminal: Terminal
  /** The activity refused a payload before, and can take it now. */
  inputRoom(): void
  /** Whether the agent has acknowledged everything, after so many milliseconds at most. */
  drained(within: number): Promise<boolean>
  /** Ends the session here; what the server thinks of it is left alone. */
  end(end: SessionEnd): void
  /** Ends the session at the server too, if that can be had within a moment; the node is told by a flag before that. */
  leave(end: SessionEnd, flag?: number): Promise<void>
  /** A line for the person, made safe to show. */
  notice(text: string): void
}

export type ActivityKind = {
  takes(sessionType: string, properties: unknown): boolean
  open(context: ClientActivityContext): ClientActivity
}
