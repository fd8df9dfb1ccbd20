import { ProtocolError } from './errors.ts'
import { RoundTripEstimate } from './retransmission.ts'

/** How much may be under way; what a channel may do before its peer has said anything is `STOCK_LIMITS`. */
export type SendLimits = {
  /** Bytes of user data in one message. */
  payload: number
  /** Bytes of frames sent or waiting that the peer has not acknowledged. */
  window: number
  /** The same in messages: a stock plugin keeps 10,000 out of order, and drops what is beyond. */
  messages: number
  /** Longest wait before a message counts as lost, ms. */
  maximumRto: number
}

/** Handshake, sizes and flags go out however full the window is; a producer that ignores it does not. */
const OVERFLOW_FACTOR = 2
/** Resent for each acknowledgement during recovery: the rate doubles per round trip, as in TCP's slow start. */
const RECOVERY_GROWTH = 2

type Pending = { frame: Uint8Array; sentAt: number | undefined; resent: boolean }

/**
 * The sending half of a data channel: numbers messages, keeps each until it is acknowledged and sends again what
 * was lost (data-plane.md 10.1-10.3). Unlike the stock endpoints it recovers a lost window in round trips
 * instead of one message per time-out, and it never forgets an unacknowledged message.
 */
export class Outgoing {
  #limits: SendLimits
  #estimate: RoundTripEstimate
  readonly #pending = new Map<number, Pending>()
  readonly #transmit: (frame: Uint8Array) => void
  readonly #now: () => number
  #next = 0
  #head = 0
  #unsent = 0
  #bytes = 0
  #open = false
  #recovery: { startedAt: number; cursor: number; upTo: number } | undefined

  constructor(limits: SendLimits, transmit: (frame: Uint8Array) => void, now: () => number) {
    this.#limits = limits
    this.#estimate = new RoundTripEstimate(limits.maximumRto)
    this.#transmit = transmit
    this.#now = now
  }

  get limits(): SendLimits {
    return this.#limits
  }

  set limits(limits: SendLimits) {
    this.#limits = limits
    this.#estimate = new RoundTripEstimate(limits.maximumRto)
    this.#transmitWaiting()
  }

  get nextSequenceNumber(): number {
    return this.#next
  }

  /** Whether everything was acknowledged. */
  get drained(): boolean {
    return this.#pending.size === 0
  }

  /** Whether a producer may go on. */
  get writable(): boolean {
    return this.#bytes < this.#limits.window && this.#pending.size < this.#limits.messages
  }

  /** Bytes of frames held for the peer. */
  get bufferedBytes(): number {
    return this.#bytes
  }

  /** Takes the frame that carries `nextSequenceNumber`. Throws 'buffer-overflow' when twice the window is held. */
  push(frame: Uint8Array): void {
    if (this.#bytes > OVERFLOW_FACTOR * this.#limits.window) {
      throw new ProtocolError('buffer-overflow', `the peer has not acknowledged ${this.#bytes} bytes`)
    }
    this.#pending.set(this.#next++, { frame, sentAt: undefined, resent: false })
    this.#bytes += frame.length
    this.#transmitWaiting()
  }

  /** The link is up: everything unacknowledged goes out again, since nobody knows what the old link lost. */
  open(): void {
    this.#open = true
    this.#recovery = undefined
    for (const pending of this.#pending.values()) if (pending.sentAt !== undefined) this.#resend(pending)
    this.#transmitWaiting()
  }

  /** The link is down, or the far end is away: hold everything. */
  hold(): void {
    this.#open = false
  }

  get held(): boolean {
    return !this.#open
  }

  acknowledge(sequenceNumber: number): void {
    this.#remove(sequenceNumber)
    this.#afterAcknowledgement()
  }

  acknowledgeThrough(sequenceNumber: number): void {
    for (let number = this.#head; number <= Math.min(sequenceNumber, this.#next - 1); number++)
      this.#remove(number)
    this.#afterAcknowledgement()
  }

  /** To be called while something is under way, every some ten milliseconds: resends what is overdue. */
  tick(): void {
    const head = this.#pending.get(this.#head)
    if (!this.#open || head?.sentAt === undefined) return
    if (this.#now() - head.sentAt <= this.#estimate.timeout) return
    this.#estimate.backOff()
    this.#recovery = { startedAt: this.#now(), cursor: this.#head + 1, upTo: this.#unsent }
    this.#resend(head)
  }

  #remove(sequenceNumber: number): void {
    const pending = this.#pending.get(sequenceNumber)
    // Only what was sent can have been received; an acknowledgement of anything else is a peer's invention.
    if (pending?.sentAt === undefined) return
    this.#pending.delete(sequenceNumber)
    this.#bytes -= pending.frame.length
    // Karn's rule: an acknowledgement of a resent message does not say which copy it is for.
    if (!pending.resent) this.#estimate.sample(this.#now() - pending.sentAt)
    while (this.#head < this.#next && !this.#pending.has(this.#head)) this.#head++
  }

  #afterAcknowledgement(): void {
    for (let i = 0; i < RECOVERY_GROWTH; i++) this.#recoverOne()
    this.#transmitWaiting()
  }

  #recoverOne(): void {
    const recovery = this.#recovery
    if (recovery === undefined || !this.#open) return
    for (; recovery.cursor < recovery.upTo; recovery.cursor++) {
      const pending = this.#pending.get(recovery.cursor)
      if (pending?.sentAt === undefined || pending.sentAt >= recovery.startedAt) continue
      recovery.cursor++
      this.#resend(pending)
      return
    }
    this.#recovery = undefined
  }

  #transmitWaiting(): void {
    if (!this.#open) return
    for (; this.#unsent < this.#next; this.#unsent++) {
      const pending = this.#pending.get(this.#unsent)
      if (pending === undefined) continue
      pending.sentAt = this.#now()
      this.#transmit(pending.frame)
    }
  }

  #resend(pending: Pending): void {
    pending.sentAt = this.#now()
    pending.resent = true
    this.#transmit(pending.frame)
  }
}
