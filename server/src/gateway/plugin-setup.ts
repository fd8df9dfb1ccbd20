import type { Clock } from '@sallyport/protocol/clock'
import type { FrameHeader } from '@sallyport/protocol/message'
import { MessageType, PayloadType } from '@sallyport/protocol/message-types'

/** The agent sends the two at the same time, in either order. */
export const ACKNOWLEDGEMENT_WAIT = 20
/** What a plugin needs from its acknowledgement of HandshakeComplete to the end of its set-up takes a few of these. */
export const SETTLING = 50
/**
 * A plugin acknowledges HandshakeComplete as soon as it has it; the session does not hang on one that never does. One
 * that had it on the connection before, and lost its acknowledgement with that, never will (data-plane.md 10.5).
 */
export const SETUP_LIMIT = 2_000

export type PluginSetupOptions = {
  clock: Clock
  /** To the client, which is there, and before all that waits for it. */
  send(frame: Uint8Array): void
  /** From here on frames for the client wait (true), or go out again. */
  withhold(withheld: boolean): void
  onOver(): void
}

type HandshakeComplete = { frame: Uint8Array; sequenceNumber: number }

/**
 * before: nothing is special yet.
 * completing: HandshakeComplete is here, and waits for the acknowledgement that it must not overtake, or for a client.
 * starting: HandshakeComplete has gone out; the plugin has not acknowledged it.
 * settling: it has, and sets up its session.
 */
type State =
  | { name: 'before' }
  | ({ name: 'completing' | 'starting' } & HandshakeComplete)
  | { name: 'settling' }
  | { name: 'over' }

/**
 * Sees to it that nothing reaches a stock plugin while it sets up a multiplexed port session: from HandshakeComplete
 * until some milliseconds after its acknowledgement any message, be it the late acknowledgement of its own
 * HandshakeResponse, hits a handler that is not there and ends its reader (data-plane.md 19, 8).
 */
export class PluginSetup {
  readonly #options: PluginSetupOptions
  #state: State = { name: 'before' }
  #answer: number | undefined
  #clientIsThere = false
  #cancel: () => void = () => {}

  constructor(options: PluginSetupOptions) {
    this.#options = options
  }

  /** The client's HandshakeResponse went to the agent. */
  answered(sequenceNumber: number): void {
    this.#answer = sequenceNumber
  }

  /** The agent acknowledged a message of the client's; `frame` says so. Answers whether it was sent from here. */
  agentAcknowledged(sequenceNumber: number, frame: Uint8Array): boolean {
    if (sequenceNumber !== this.#answer) return false
    this.#answer = undefined
    if (this.#state.name !== 'completing' || !this.#clientIsThere) return false
    this.#options.send(frame)
    this.#start(this.#state)
    return true
  }

  /** A numbered message of the agent's. Answers whether it is seen to here. */
  takes({ messageType, payloadType, sequenceNumber }: FrameHeader, frame: Uint8Array): boolean {
    if (messageType !== MessageType.outputStreamData || payloadType !== PayloadType.handshakeComplete)
      return false
    switch (this.#state.name) {
      case 'before':
        // A copy: the read that it is a view of need not wait with it.
        this.#complete({ frame: new Uint8Array(frame), sequenceNumber })
        return true
      case 'completing':
      case 'starting':
      case 'settling':
        // A repetition: the first is on its way.
        return true
      case 'over':
        return false
      default:
        return this.#state satisfies never
    }
  }

  clientAcknowledged(sequenceNumber: number): void {
    if (this.#state.name === 'starting' && sequenceNumber === this.#state.sequenceNumber) this.#settle()
  }

  /** Data of the client's, which has none before it is set up. */
  clientSpoke(): void {
    if (this.#state.name === 'starting') this.#settle()
  }

  /** On a new connection: what the one before was sent may be lost, or be what the plugin is setting up by. */
  clientCame(): void {
    this.#clientIsThere = true
    const state = this.#state
    if (state.name === 'completing' || state.name === 'starting') this.#start(state)
    else if (state.name === 'settling') this.#settle()
  }

  /** No limit runs out while nobody is there to be waited for. */
  clientWent(): void {
    this.#clientIsThere = false
    this.#enter(this.#state)
  }

  /** Nothing is held back any more. */
  stop(): void {
    this.#enter({ name: 'over' })
    this.#options.withhold(false)
    this.#options.onOver()
  }

  #complete(message: HandshakeComplete): void {
    // From here on: what overtook it would come to the plugin directly after it.
    this.#options.withhold(true)
    if (!this.#clientIsThere) this.#enter({ name: 'completing', ...message })
    else if (this.#answer === undefined) this.#start(message)
    else {
      // The agent's acknowledgement may have been lost, or come before this server had the session.
      this.#enter({ name: 'completing', ...message }, ACKNOWLEDGEMENT_WAIT, () => this.#start(message))
    }
  }

  #start({ frame, sequenceNumber }: HandshakeComplete): void {
    this.#options.send(frame)
    this.#enter({ name: 'starting', frame, sequenceNumber }, SETUP_LIMIT, () => this.stop())
  }

  #settle(): void {
    this.#enter({ name: 'settling' }, SETTLING, () => this.stop())
  }

  #enter(state: State, limit?: number, onLimit: () => void = () => {}): void {
    this.#cancel()
    this.#cancel = limit === undefined ? () => {} : this.#options.clock.after(limit, onLimit)
    this.#state = state
  }
}
