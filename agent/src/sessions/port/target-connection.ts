import type { Socket } from 'node:net'
import { ByteQueue } from '@sallyport/protocol/byte-queue'
import type { DataChannel } from '@sallyport/protocol/data-channel'
import { PayloadType } from '@sallyport/protocol/message-types'
import { inWords } from '../error-words.ts'
import type { Destination } from './destination.ts'

/**
 * Bytes that a client may send ahead of its connection. Taken, so that a flag behind them is seen: a person who gives
 * up must not wait for a dial that hangs.
 */
const HELD_WHILE_DIALLING = 256 * 1024

export type TargetConnectionOptions = {
  channel: DataChannel
  destination: Destination
  /** After `write` answered false: there is room again. */
  onRoom: () => void
  onDialFailed: (error: Error) => void
  /** The target has ended the connection, or broken it for the reason given. */
  onEnd: (reason?: string) => void
}

/** The one connection of a session without multiplexing: its bytes are the data channel's (data-plane.md 15.2). */
export class TargetConnection {
  readonly #options: TargetConnectionOptions
  readonly #dial = new AbortController()
  #socket: Socket | undefined
  readonly #held = new ByteQueue()
  #full = false
  #inputEnded = false
  /** Nobody wants to hear from it any more. */
  #released = false

  constructor(options: TargetConnectionOptions) {
    this.#options = options
    options.destination.connect(this.#dial.signal).then(
      socket => this.#connected(socket),
      (error: Error) => {
        if (!this.#released) options.onDialFailed(error)
      },
    )
  }

  write(payload: Uint8Array): boolean {
    if (this.#full) return false
    if (this.#socket === undefined) {
      this.#held.gather(payload)
      this.#full = this.#held.size >= HELD_WHILE_DIALLING
    } else this.#full = !this.#socket.write(payload)
    return true
  }

  endInput(): void {
    this.#inputEnded = true
    this.#socket?.end()
  }

  /** The channel takes output again. */
  resume(): void {
    this.#socket?.resume()
  }

  /** The target gets what was written, and an end; what it says to that is for nobody. */
  release(): void {
    this.#released = true
    if (this.#socket !== undefined) leave(this.#socket)
    else if (this.#held.size === 0) this.#dial.abort()
  }

  destroy(): void {
    this.#released = true
    this.#dial.abort()
    this.#socket?.destroy()
  }

  #connected(socket: Socket): void {
    this.#socket = socket
    if (this.#dial.signal.aborted) {
      socket.destroy()
      return
    }
    const { channel, onEnd, onRoom } = this.#options
    const ended = (reason?: string) => {
      if (this.#released) return
      this.#released = true
      onEnd(reason)
    }
    socket.on('data', chunk => {
      if (!this.#released && !channel.send(PayloadType.output, chunk)) socket.pause()
    })
    socket.on('end', () => ended())
    socket.on('error', error => ended(inWords(error)))
    socket.on('close', () => ended())
    socket.on('drain', () => {
      this.#full = false
      onRoom()
    })
    for (let held = this.#held.shift(); held !== undefined; held = this.#held.shift()) {
      this.#full = !socket.write(held)
    }
    if (this.#inputEnded) socket.end()
    if (this.#released) leave(socket)
    else if (!this.#full) onRoom()
  }
}

function leave(socket: Socket): void {
  socket.resume()
  socket.destroySoon()
}
