import type { Socket } from 'node:net'
import { ProtocolError } from '@sallyport/protocol/errors'
import { PayloadType } from '@sallyport/protocol/message-types'
import { MAXIMUM_STREAMS, SmuxSession } from '@sallyport/protocol/smux/session'
import type { SmuxStream } from '@sallyport/protocol/smux/stream'
import { joinSocket, resetSocket } from '@sallyport/protocol/transport/node-stream'
import type { CarrierOptions, ConnectionCarrier } from './connection-carrier.ts'

/** What our agent gives as the reason of a stream that it could not connect; any other reset is the target's. */
const REFUSAL = 'cannot connect to '

/** Any number of connections at once, each one smux stream (data-plane.md 15.4). */
export class MultiplexedConnections implements ConnectionCarrier {
  readonly #options: CarrierOptions
  readonly #smux: SmuxSession
  #full = false
  #closed = false

  constructor(options: CarrierOptions, version: 1 | 2) {
    this.#options = options
    this.#smux = new SmuxSession({
      role: 'client',
      version,
      // Frames of version 2 fill our messages; those of version 1 are cut into many in any case.
      ...(version === 2 && { maximumFrame: options.channel.maximumPayload }),
      send: parts => this.#send(parts),
      onConsumed: () => {
        this.#full = false
        options.inputRoom()
      },
    })
  }

  accept(socket: Socket): void {
    if (this.#closed) {
      socket.destroy()
      return
    }
    if (this.#smux.streamCount >= MAXIMUM_STREAMS) {
      resetSocket(socket)
      this.#options.onRefused(`takes no more than ${MAXIMUM_STREAMS} connections at once`)
      return
    }
    this.#guarded(() => {
      const stream = this.#smux.open('quietly')
      joinSocket(stream, socket)
      this.#watch(stream)
      socket.resume()
      this.#announceSoon(stream)
    })
  }

  deliver(payload: Uint8Array): boolean {
    if (this.#closed) return true
    if (this.#full) return false
    this.#guarded(() => {
      this.#full = !this.#smux.receive(payload)
    })
    return true
  }

  onWritable(): void {
    if (!this.#closed) this.#guarded(() => this.#smux.onRoom())
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#smux.close('the session has ended')
  }

  #watch(stream: SmuxStream): void {
    const { events } = stream
    if (events === undefined) return
    stream.events = {
      data: chunk => events.data(chunk),
      end: () => events.end(),
      reset: reason => {
        if (reason.startsWith(REFUSAL)) this.#options.onRefused(reason)
        events.reset(reason)
      },
      writable: () => events.writable(),
    }
  }

  /** Most clients speak first, and at once: when the sockets were read once more, their bytes go in the same message. */
  #announceSoon(stream: SmuxStream): void {
    setImmediate(() => setImmediate(() => this.#guarded(() => stream.announce())))
  }

  #send(parts: readonly Uint8Array[]): boolean {
    if (this.#closed) return false
    return this.#options.channel.sendParts(PayloadType.output, parts)
  }

  /** What the node sends, or fails to take, may come to light in any of these. */
  #guarded(step: () => void): void {
    try {
      step()
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#options.onBroken(error.message)
    }
  }
}
