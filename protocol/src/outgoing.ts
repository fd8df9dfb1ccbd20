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
  /** Shortest and longest wait before a message counts as lost, ms. */
  minimumRto: number
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
  /**
   * In the order in which they were last sent: the first has waited longest. A stock plugin never acknowledges a
   * message again whose acknowledgement was lost (data-plane.md 10.5), so it must take turns with the others.
   */
  readonly #pending = new Map<number, Pending>()
  readonly #transmit: (frame: Uint8Array) => void
  readonly #now: () => number
  #next = 0
  /** No message below this number is pending. */
  #head = 0
  #unsent = 0
  #bytes = 0
  #open = false
  #timedOutAt = Number.NEGATIVE_INFINITY
  #recoveringSince: number | undefined

  constructor(limits: SendLimits, transmit: (frame: Uint8Array) => void, now: () => number) {
    this.#limits = limits
    this.#estimate = newEstimate(limits)
    this.#transmit = transmit
    this.#now = now
  }

  get limits(): SendLimits {
    return this.#limits
  }

  set limits(limits: SendLimits) {
    this.#limits = limits
    this.#estimate = newEstimate(limits)
  }

  get nextSequenceNumber(): number {
    return this.#next
  }

  /** How many messages were acknowledged without a gap. */
  get acknowledged(): number {
    return this.#head
  }

  /** Whether everything was acknowledged. */
  get drained(): boolean {
    return this.#pending.size === 0
  }

  /** Whether time may show that something was lost. */
  get underWay(): boolean {
    return this.#open && this.#pending.size > 0
  }

  /** Whether a producer may go on. */
  get writable(): boolean {
    return this.#bytes < this.#limits.window && this.#pending.size < this.#limits.messages
  }

  /** Bytes of frames held for the peer. */
  get bufferedBytes(): number {
    return this.#bytes
  }

  get held(): boolean {
    return !this.#open
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

  /**
   * There is a new way to the peer: everything unacknowledged goes out again, since nobody knows what the old
   * way lost, and what was learned about its speed is forgotten.
   */
  open(): void {
    this.#open = true
    this.#estimate = newEstimate(this.#limits)
    this.#timedOutAt = Number.NEGATIVE_INFINITY
    this.#recoveringSince = undefined
    for (const number of [...this.#pending.keys()].sort((a, b) => a - b)) {
      const pending = this.#pending.get(number)
      if (pending?.sentAt !== undefined) this.#resend(number, pending)
    }
    this.#transmitWaiting()
  }

  /** The link is down, or the far end is away: hold everything. */
  hold(): void {
    this.#open = false
  }

  /** The far end was not away after all: what waits may go. */
  release(): void {
    this.#open = true
    this.#transmitWaiting()
  }

  /** The peer has this message, and every message up to and including `through`. */
  acknowledge(sequenceNumber: number, through = -1): void {
    let news = this.#remove(sequenceNumber)
    const last = Math.min(through, this.#unsent - 1)
    for (let number = this.#head; number <= last; number++) news = this.#remove(number) || news
    // What is not news must not make us send: a flood of acknowledgements would come back larger.
    if (!news) return
    for (let i = 0; i < RECOVERY_GROWTH; i++) this.#recoverOne()
  }

  /** To be called while `underWay`, every some ten milliseconds: resends what is overdue. */
  tick(): void {
    const [number, oldest] = this.#oldest()
    if (!this.#open || oldest?.sentAt === undefined) return
    // One at a time: when all are overdue, the next has to wait for what comes of this one.
    if (this.#since(Math.max(oldest.sentAt, this.#timedOutAt)) <= this.#estimate.patience) return
    this.#estimate.backOff()
    this.#timedOutAt = this.#now()
    this.#recoveringSince = this.#timedOutAt
    this.#resend(number, oldest)
  }

  #oldest(): [number, Pending] | [-1, undefined] {
    for (const entry of this.#pending) return entry
    return [-1, undefined]
  }

  /** How long ago that was. A clock that was set back says nothing: better to send again. */
  #since(time: number): number {
    const passed = this.#now() - time
    return passed < 0 ? Number.POSITIVE_INFINITY : passed
  }

  /** Answers whether this is news. */
  #remove(sequenceNumber: number): boolean {
    const pending = this.#pending.get(sequenceNumber)
    // Only what was sent can have been received; an acknowledgement of anything else is a peer's invention.
    if (pending?.sentAt === undefined) return false
    this.#pending.delete(sequenceNumber)
    this.#bytes -= pending.frame.length
    // Karn's rule: an acknowledgement of a resent message does not say which copy it is for.
    if (!pending.resent) this.#estimate.sample(Math.max(0, this.#now() - pending.sentAt))
    while (this.#head < this.#next && !this.#pending.has(this.#head)) this.#head++
    return true
  }

  /** Sends again the oldest message that was under way when the last time-out came and is overdue by now. */
  #recoverOne(): void {
    if (this.#recoveringSince === undefined || !this.#open) return
    const [number, oldest] = this.#oldest()
    if (oldest?.sentAt === undefined || oldest.sentAt >= this.#recoveringSince) {
      this.#recoveringSince = undefined
    } else if (this.#since(oldest.sentAt) > this.#estimate.timeout) this.#resend(number, oldest)
  }

  #transmitWaiting(): void {
    if (!this.#open) return
    while (this.#unsent < this.#next) {
      const pending = this.#pending.get(this.#unsent++)
      if (pending === undefined) continue
      pending.sentAt = this.#now()
      this.#transmit(pending.frame)
    }
  }

  #resend(number: number, pending: Pending): void {
    pending.sentAt = this.#now()
    pending.resent = true
    this.#pending.delete(number)
    this.#pending.set(number, pending)
    this.#transmit(pending.frame)
  }
}

function newEstimate({ minimumRto, maximumRto }: SendLimits): RoundTripEstimate {
  return new RoundTripEstimate(minimumRto, maximumRto)
}
