import type { Socket } from 'node:net'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { encodeFlag } from '@sallyport/protocol/payloads'
import { resetSocket } from '@sallyport/protocol/transport/node-stream'
import type { CarrierOptions, ConnectionCarrier } from './connection-carrier.ts'

/** Connections that may wait for their turn. */
const MAXIMUM_WAITING = 64
/** How long an agent may take to hear that a connection is over before the next goes ahead regardless, ms. */
const DISCONNECT_WITHIN = 5_000

/**
 * For agents without smux: the stream is one connection's at a time, and the flag `DisconnectToPort` stands between
 * two (data-plane.md 15.3).
 */
export class OneConnectionAtATime implements ConnectionCarrier {
  readonly #options: CarrierOptions
  readonly #waiting: Socket[] = []
  #socket: Socket | undefined
  #state: 'fresh' | 'connected' | 'disconnecting' | 'idle' | 'closed' = 'fresh'
  #full = false

  constructor(options: CarrierOptions) {
    this.#options = options
  }

  accept(socket: Socket): void {
    socket.on('error', () => {})
    if (this.#state === 'closed' || this.#waiting.length >= MAXIMUM_WAITING) {
      resetSocket(socket)
      return
    }
    this.#waiting.push(socket)
    this.#next()
  }

  /**
   * What a server says first waits for the first connection. What comes between two is the rest of the one before: the
   * agent connects again only when something is sent.
   */
  deliver(payload: Uint8Array): boolean {
    if (this.#state === 'fresh' || this.#full) return false
    if (this.#state === 'connected' && this.#socket !== undefined) this.#full = !this.#socket.write(payload)
    return true
  }

  onWritable(): void {
    this.#socket?.resume()
  }

  close(): void {
    this.#state = 'closed'
    for (const socket of this.#waiting.splice(0)) socket.destroy()
    this.#socket?.destroySoon()
  }

  #next(): void {
    if (this.#state !== 'fresh' && this.#state !== 'idle') return
    const socket = this.#waiting.shift()
    if (socket === undefined) return
    const { channel, inputRoom } = this.#options
    this.#socket = socket
    this.#state = 'connected'
    socket.on('data', chunk => {
      if (!channel.send(PayloadType.output, chunk)) socket.pause()
    })
    socket.on('drain', () => this.#room())
    // There is no half-close in this mode, and a client that is gone looks like one that has said all it had.
    socket.once('end', () => socket.destroySoon())
    socket.once('close', () => void this.#disconnect(socket))
    socket.resume()
    inputRoom()
  }

  #room(): void {
    if (!this.#full) return
    this.#full = false
    this.#options.inputRoom()
  }

  async #disconnect(socket: Socket): Promise<void> {
    if (this.#socket !== socket || this.#state === 'closed') return
    const { channel, drained } = this.#options
    this.#socket = undefined
    this.#state = 'disconnecting'
    this.#room()
    channel.sendWhole(PayloadType.flag, encodeFlag(PayloadFlag.disconnectToPort))
    await drained(DISCONNECT_WITHIN)
    if (this.#state !== 'disconnecting') return
    this.#state = 'idle'
    this.#next()
  }
}
