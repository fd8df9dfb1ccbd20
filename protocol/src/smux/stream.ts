import { SmuxCommand, type SmuxUpdate, type SmuxVersion, smuxHeader, smuxReset, smuxUpdate } from './frame.ts'
import { ReceivingHalf } from './receiving.ts'
import { SendingHalf } from './sending.ts'

export type SmuxStreamEvents = {
  /** Bytes from the peer, in order. False: taken, but no more until `stream.resume()`. */
  data(chunk: Uint8Array): boolean
  /** The peer will send no more. In version 1 it also takes no more. */
  end(): void
  /** Aborted by the peer, by a protocol error, or with the session; nothing follows. The reason may be hostile. */
  reset(reason: string): void
  /** After `write` answered false: there is room again. */
  writable(): void
}

/** What a stream needs of its session. */
export type SmuxStreamHost = {
  readonly version: SmuxVersion
  /** Bytes that one turn may put on the byte stream beneath. */
  readonly maximumFrame: number
  /** The window that a stream should have now. */
  readonly receiveWindow: number
  /** Bytes that a stream may keep waiting before it asks its writer to stop. */
  readonly sendBuffer: number
  send(parts: readonly Uint8Array[]): void
  /** The stream has something to send, and waits for `takeTurn`. */
  ready(stream: SmuxStream): void
  unread(difference: number): void
  /** The stream is over. */
  left(stream: SmuxStream): void
}

/** `opening`: the peer has not heard of it. `resetting`: the reset waits for its turn. */
type State = 'opening' | 'open' | 'resetting' | 'gone'

/** One stream of a smux session: bytes both ways, each direction with its own end. */
export class SmuxStream {
  readonly id: number
  /**
   * Called when the peer gives the stream up before `events` are set, so that nobody need look for a reader any more:
   * it was aborted, or in version 1 ended without a word.
   */
  onGivenUp: () => void = () => {}
  readonly #host: SmuxStreamHost
  readonly #sending: SendingHalf
  readonly #receiving: ReceivingHalf
  #events: SmuxStreamEvents | undefined
  #state: State
  /** `write` answered false and `writable` has not come yet. */
  #full = false
  #endWritten = false
  #ownReason = ''
  /** What ended it before there was anybody to tell. */
  #lostReason: string | undefined

  /** `SmuxSession` makes the streams. */
  constructor(id: number, host: SmuxStreamHost, opened: 'by-us' | 'by-peer') {
    this.id = id
    this.#host = host
    this.#state = opened === 'by-us' ? 'opening' : 'open'
    this.#sending = new SendingHalf(host.version, id)
    this.#receiving = new ReceivingHalf(host.version, id, {
      data: chunk => this.#data(chunk),
      end: () => this.#end(),
      unread: difference => host.unread(difference),
    })
  }

  get events(): SmuxStreamEvents | undefined {
    return this.#events
  }

  /** Until this is set, what comes is kept within the window; then it is handed on at once. */
  set events(events: SmuxStreamEvents) {
    const first = this.#events === undefined
    this.#events = events
    if (this.#lostReason !== undefined) {
      const reason = this.#lostReason
      this.#lostReason = undefined
      events.reset(reason)
    } else if (first) this.resume()
  }

  /** Tells the peer that the stream is there, if it has not heard of it. */
  announce(): void {
    if (this.#state === 'opening') this.#host.ready(this)
  }

  /** Whether the peer takes what is written. */
  get open(): boolean {
    return this.#sending.open
  }

  /** Bytes held in both directions. */
  get bufferedBytes(): number {
    return this.#sending.bufferedBytes + this.#receiving.bufferedBytes
  }

  /**
   * Sends `chunk`, which nobody may change any more. False: wait for `writable`. Once the stream is over, or the
   * peer takes no more, the bytes are dropped. Throws RangeError when called after it answered false, or after `end`.
   */
  write(chunk: Uint8Array): boolean {
    if (this.#state === 'gone' || this.#state === 'resetting') return true
    if (this.#endWritten) throw new RangeError(`stream ${this.id} is written to after its end`)
    if (this.#full) throw new RangeError(`stream ${this.id} is written to before it is writable`)
    if (chunk.length === 0 || this.#sending.ended) return true
    this.#sending.push(chunk)
    this.#host.ready(this)
    if (this.#sending.bufferedBytes >= this.#host.sendBuffer) this.#full = true
    return !this.#full
  }

  /** No more comes from here after what was written. In version 1 the stream is closed then, as upstream does it. */
  end(): void {
    if (this.#state === 'gone' || this.#state === 'resetting') return
    this.#endWritten = true
    this.#sending.end()
    if (this.#sending.wantsTurn) this.#host.ready(this)
  }

  /** Aborts both directions; what waits in either is dropped. No event follows. Version 1 can only say FIN. */
  reset(reason = ''): void {
    if (this.#state === 'gone' || this.#state === 'resetting') return
    const unknownToPeer = this.#state === 'opening'
    const overForPeer = this.#sending.ended && !this.#receiving.open
    this.#drop()
    if (unknownToPeer || overForPeer) {
      this.#leave()
      return
    }
    this.#state = 'resetting'
    this.#ownReason = reason
    this.#host.ready(this)
  }

  /** The reader that answered false can take more. */
  resume(): void {
    if (this.#state === 'gone' || this.#state === 'resetting') return
    this.#receiving.resume()
    this.#announceWindow()
  }

  /** For the session: data came. */
  receive(data: Uint8Array): void {
    if (this.#state === 'resetting') return
    this.#receiving.receive(data)
    this.#announceWindow()
  }

  /** For the session: the peer sends no more. */
  finish(): void {
    if (this.#state === 'resetting') return
    // data-plane.md 15.4: the FIN of version 1 ends both directions.
    if (this.#host.version === 1) this.#sending.drop()
    this.#receiving.finish()
    this.#leaveIfDone()
    const unread = this.#receiving.bufferedBytes > 0
    if (this.#events === undefined && this.#host.version === 1 && !unread) this.onGivenUp()
  }

  /** For the session: the peer consumed something. */
  update(update: SmuxUpdate): void {
    if (this.#state === 'resetting') return
    this.#sending.update(update)
    if (this.#sending.wantsTurn) this.#host.ready(this)
  }

  /** For the session: it is all over. */
  abort(reason: string): void {
    const wanted = this.#state !== 'resetting' && this.#state !== 'gone'
    this.#drop()
    this.#leave()
    if (!wanted) return
    if (this.#events !== undefined) this.#events.reset(reason)
    else {
      this.#lostReason = reason
      this.onGivenUp()
    }
  }

  /** For the session: sends what fits into one turn. */
  takeTurn(): void {
    if (this.#state === 'gone') return
    if (this.#state === 'resetting') {
      this.#host.send(
        this.#host.version === 2
          ? smuxReset(this.id, this.#ownReason)
          : [smuxHeader(1, SmuxCommand.fin, this.id)],
      )
      this.#leave()
      return
    }
    const parts = this.#takeParts()
    if (parts.length > 0) this.#host.send(parts)
    // Upstream's peer has forgotten a stream once it sent or received its FIN.
    if (this.#host.version === 1 && this.#sending.ended) this.#receiving.finish()
    this.#tellWriter()
    this.#leaveIfDone()
    if (this.#wantsTurn) this.#host.ready(this)
  }

  #takeParts(): Uint8Array[] {
    const { version, maximumFrame, receiveWindow } = this.#host
    const parts: Uint8Array[] = []
    if (this.#state === 'opening') {
      parts.push(smuxHeader(version, SmuxCommand.syn, this.id))
      this.#state = 'open'
    }
    if (this.#receiving.updateIsDue(receiveWindow)) {
      parts.push(...smuxUpdate(this.id, this.#receiving.takeUpdate(receiveWindow)))
    }
    const taken = parts.reduce((size, part) => size + part.length, 0)
    this.#sending.take(maximumFrame - taken, parts)
    return parts
  }

  get #wantsTurn(): boolean {
    return this.#state === 'open' && this.#sending.wantsTurn
  }

  #tellWriter(): void {
    if (!this.#full || this.#sending.bufferedBytes >= this.#host.sendBuffer) return
    this.#full = false
    if (this.#sending.open) this.#events?.writable()
  }

  #announceWindow(): void {
    if (this.#state === 'open' && this.#receiving.updateIsDue(this.#host.receiveWindow))
      this.#host.ready(this)
  }

  #data(chunk: Uint8Array): boolean {
    return this.#events?.data(chunk) ?? false
  }

  #end(): void {
    this.#events?.end()
    this.#leaveIfDone()
  }

  #drop(): void {
    this.#sending.drop()
    this.#receiving.drop()
  }

  #leaveIfDone(): void {
    if (this.#sending.ended && this.#receiving.ended && this.#state !== 'resetting') this.#leave()
  }

  #leave(): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.#host.left(this)
  }
}
