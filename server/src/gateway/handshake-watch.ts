import type { Clock } from '@sallyport/protocol/clock'
import { ProtocolError } from '@sallyport/protocol/errors'
import {
  decodeHandshakeResponse,
  HANDSHAKE_TIMEOUT,
  type SallyportTerms,
} from '@sallyport/protocol/handshake'
import type { FrameHeader } from '@sallyport/protocol/message'
import { PayloadType } from '@sallyport/protocol/message-types'

/** An answer that leaves here so shortly before the agent's time is up may be there after it. */
const ON_THE_WAY = 250

/**
 * Knows when the agent's patience ends: an answer that comes after it blocks the reader of a stock agent for good
 * (data-plane.md 19, 9).
 */
export class HandshakeWatch {
  readonly #clock: Clock
  #askedAt: number | undefined
  #over = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A numbered message of the agent's. */
  agentSent({ payloadType }: FrameHeader): void {
    if (payloadType === PayloadType.handshakeRequest) this.#askedAt ??= this.#clock.monotonic()
    // An agent that completes the handshake, or says anything else, waits for no answer.
    else this.#over = true
  }

  /** How late an answer is that comes now, ms; undefined if the agent still waits for it, or never said that it does. */
  get lateBy(): number | undefined {
    if (this.#over || this.#askedAt === undefined) return undefined
    const waited = this.#clock.monotonic() - this.#askedAt
    return waited > HANDSHAKE_TIMEOUT - ON_THE_WAY ? waited : undefined
  }
}

/** What a HandshakeResponse agrees on with our own agent. A refusal is for the agent to read, no violation. */
export function agreedTerms(response: Uint8Array): SallyportTerms | undefined {
  try {
    return decodeHandshakeResponse(response).terms
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}
