import { acknowledgePayload } from '@sallyport/protocol/payloads'
import { AckMemory } from './ack-memory.ts'
import { RepeatedOutput } from './repeated-output.ts'

/**
 * Which output the client has had. A stock plugin acknowledges a message once; if that acknowledgement was lost, or
 * our memory of it, nobody but the gateway can stop the agent from repeating it for ever (data-plane.md 16.3).
 */
export class AcknowledgedOutput {
  readonly #memory = new AckMemory()
  readonly #repeated: RepeatedOutput

  constructor(now: () => number) {
    this.#repeated = new RepeatedOutput(now)
  }

  /** An acknowledgement from the client; `sent` is the highest number that the agent has sent. */
  note(payload: Uint8Array, sent: number): void {
    const acknowledge = acknowledgePayload.decode(payload)
    this.#memory.add(acknowledge.AcknowledgedMessageSequenceNumber)
    if (acknowledge.AcknowledgedThrough !== undefined) {
      this.#memory.addThrough(acknowledge.AcknowledgedThrough, sent)
    }
    this.#repeated.clientAcknowledged()
  }

  /** Whether a repeated message is to be answered here. `mayInfer`: a stock client is there and acknowledges. */
  has(sequenceNumber: number, mayInfer: boolean): boolean {
    if (this.#memory.has(sequenceNumber)) return true
    if (!mayInfer || !this.#repeated.isConsumed(sequenceNumber)) return false
    this.#memory.add(sequenceNumber)
    return true
  }
}
