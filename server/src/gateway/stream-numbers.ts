import { acknowledgePayload } from '@sallyport/protocol/payloads'
import { AckMemory } from './ack-memory.ts'
import type { Role } from './half.ts'
import { checkNumber } from './relay-rules.ts'
import { RepeatedOutput } from './repeated-output.ts'

/**
 * Which messages either end has sent, and which output the client has had. A stock plugin acknowledges a message
 * once; if that acknowledgement was lost, or our memory of it, nobody but the gateway can stop the agent from
 * repeating it for ever (data-plane.md 16.3). Takes as much memory whatever the ends say.
 */
export class StreamNumbers {
  /** What is not above it is a repetition. A relay that begins in mid-session has seen none. */
  readonly #highest: Record<Role, number> = { agent: -1, client: -1 }
  readonly #acknowledged = new AckMemory()
  readonly #repeated: RepeatedOutput

  constructor(now: () => number) {
    this.#repeated = new RepeatedOutput(now)
  }

  /** Whether a message of this end comes for the first time. Throws `ProtocolError` for a number from nowhere. */
  isNew(role: Role, sequenceNumber: number): boolean {
    const highest = this.#highest[role]
    checkNumber('a message has sequence number', sequenceNumber, highest)
    if (sequenceNumber <= highest) return false
    this.#highest[role] = sequenceNumber
    return true
  }

  /** An acknowledgement from the client; answers what it is for. Throws `ProtocolError` if it makes no sense. */
  clientAcknowledges(payload: Uint8Array): number {
    const acknowledge = acknowledgePayload.decode(payload)
    const { AcknowledgedMessageSequenceNumber: sequenceNumber, AcknowledgedThrough: through } = acknowledge
    const sent = this.#highest.agent
    checkNumber('an acknowledgement is for', Math.max(sequenceNumber, through ?? 0), sent)
    this.#acknowledged.add(sequenceNumber)
    if (through !== undefined) this.#acknowledged.addThrough(through, sent)
    this.#repeated.clientAcknowledged(sequenceNumber)
    return sequenceNumber
  }

  /** Whether a repeated message is to be answered here. `mayInfer`: a stock client is there and acknowledges. */
  clientHas(sequenceNumber: number, mayInfer: boolean): boolean {
    if (this.#acknowledged.has(sequenceNumber)) return true
    if (!mayInfer || !this.#repeated.isConsumed(sequenceNumber)) return false
    this.#acknowledged.add(sequenceNumber)
    return true
  }
}
