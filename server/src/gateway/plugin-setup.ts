import type { Clock } from '@sallyport/protocol/clock'
import type { FrameHeader } from '@sallyport/protocol/message'
import { MessageType, PayloadType } from '@sallyport/protocol/message-types'

/** The agent sends the two at the same time, in either order. */
export const ACKNOWLEDGEMENT_WAIT = 20
/** What a plugin needs from its acknowledgement of HandshakeComplete to the end of its set-up takes a few of these. */
export const SETTLING = 50
/** A plugin acknowledges HandshakeComplete as soon as it has it; the session does not hang on one that never does. */
export const SETUP_LIMIT = 2_000

export type PluginSetupOptions = {
  clock: Clock
  /** To the client, after what was sent to it before. */
  send(frame: Uint8Array): void
  /** From here on frames for the client wait (true), or go out again. */
  withhold(withheld: boolean): void
  onOver(): void
}

/**
 * before: nothing is special yet.
 * completing: HandshakeComplete is here, and waits for the acknowledgement that it must not overtake.
 * starting: HandshakeComplete has gone out; the plugin has not acknowledged it.
 * settling: it has, and sets up its session.
 */
type State =
  | { name: 'before' }
  | { name: 'completing'; frame: Uint8Array; sequenceNumber: number }
  | { name: 'starting'; sequenceNumber: number }
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
    if (this.#state.name !== 'completing') return false
    this.#options.send(frame)
    this.#start(this.#state.frame, this.#state.sequenceNumber)
    return true
  }

  /** A numbered message of the agent's. Answers whether it is seen to here. */
  takes({ messageType, payloadType, sequenceNumber }: FrameHeader, frame: Uint8Array): boolean {
    if (messageType !== MessageType.outputStreamData || payloadType !== PayloadType.handshakeComplete)
      return false
    switch (this.#state.name) {
      case 'before':
        if (this.#answer === undefined) this.#start(frame, sequenceNumber)
        else this.#wait(frame, sequenceNumber)
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
    if (this.#state.name !== 'starting' || sequenceNumber !== this.#state.sequenceNumber) return
    this.#enter({ name: 'settling' }, SETTLING, () => this.stop())
  }

  /** On a new connection: what the one before was sent may be lost, and will be repeated. */
  clientCame(): void {
    if (this.#state.name === 'starting') this.#enter({ name: 'before' })
    this.#options.withhold(false)
  }

  /** Nothing is held back any more. */
  stop(): void {
    this.#enter({ name: 'over' })
    this.#options.withhold(false)
    this.#options.onOver()
  }

  /** The agent's acknowledgement may have been lost, or come before this server had the session. */
  #wait(frame: Uint8Array, sequenceNumber: number): void {
    // A copy: the read that it is a view of need not wait with it.
    const waiting = new Uint8Array(frame)
    this.#enter({ name: 'completing', frame: waiting, sequenceNumber }, ACKNOWLEDGEMENT_WAIT, () =>
      this.#start(waiting, sequenceNumber),
    )
  }

  #start(frame: Uint8Array, sequenceNumber: number): void {
    this.#options.send(frame)
    this.#options.withhold(true)
    this.#enter({ name: 'starting', sequenceNumber }, SETUP_LIMIT, () => this.stop())
  }

  #enter(state: State, limit?: number, onLimit: () => void = () => {}): void {
    this.#cancel()
    this.#cancel = limit === undefined ? () => {} : this.#options.clock.after(limit, onLimit)
    this.#state = state
  }
}
