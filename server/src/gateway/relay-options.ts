import type { Clock } from '@sallyport/protocol/clock'
import type { Crypto } from '@sallyport/protocol/crypto'
import type { ProtocolError } from '@sallyport/protocol/errors'
import type { SallyportTerms } from '@sallyport/protocol/handshake'
import type { Role } from './half.ts'

export type RelayOptions = {
  sessionId: string
  nodeId: string
  sessionType: string
  crypto: Crypto
  clock: Clock
  pingEvery: number
  pongTimeout: number
  /** The ends agreed on `Sallyport/1` before, at another relay. */
  agreed: boolean
  /**
   * Somebody did something: new bytes of the user's in either direction, those of a port session's multiplexer
   * included; not repetitions, acknowledgements, sizes, flags or pings (data-plane.md 17).
   */
  onActivity(): void
  /** An end has come or gone. */
  onPresence(role: Role, present: boolean, reason: string): void
  /** The agent says that the session runs, or that what it ran has ended. */
  onAgentState(state: string): void
  /** The ends agreed on `Sallyport/1`. */
  onAgreed(terms: SallyportTerms): void
  /** The client answered the handshake after the agent's time for that; its answer goes nowhere. */
  onLateAnswer(waited: number): void
  /** An end broke the protocol: its socket is closed. */
  onViolation(role: Role, error: ProtocolError): void
  /** An end sends messages of a type that nobody knows, which are dropped. Told of the first. */
  onUnknown(role: Role): void
}
