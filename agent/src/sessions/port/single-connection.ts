import { ForbiddenDestination } from './destination.ts'
import type { PortMode, PortModeOptions } from './mode.ts'
import { TargetConnection } from './target-connection.ts'

/** The stock agent's words, which people search for (data-plane.md 15.2). */
const UNABLE = 'Unable to connect to specified port: '

/**
 * A session without multiplexing. Raw, as for SSH: one connection, and the session is over when that is. Basic, for
 * clients that are too old for smux: one connection after the other; nothing tells such a client that the target
 * closed one, so the next is opened when the client sends something (data-plane.md 15.2, 15.3).
 */
export class SingleConnection implements PortMode {
  readonly #options: PortModeOptions
  readonly #reconnects: boolean
  #current: TargetConnection | undefined
  /** The one before, which may still have something to write. */
  #leaving: TargetConnection | undefined
  #stopped = false

  constructor(options: PortModeOptions, { reconnects }: { reconnects: boolean }) {
    this.#options = options
    this.#reconnects = reconnects
  }

  start(): void {
    this.#dial()
  }

  deliver(payload: Uint8Array): boolean {
    if (this.#stopped) return true
    return (this.#current ?? this.#dial()).write(payload)
  }

  onWritable(): void {
    this.#current?.resume()
  }

  endInput(): void {
    this.#current?.endInput()
  }

  disconnect(): void {
    if (this.#reconnects) this.#leave()
  }

  stop(): void {
    this.#stopped = true
    this.#current?.destroy()
    this.#leaving?.destroy()
  }

  #dial(): TargetConnection {
    const { channel, destination, onInputRoom, onEnd } = this.#options
    this.#current = new TargetConnection({
      channel,
      destination,
      onRoom: onInputRoom,
      onDialFailed: error =>
        onEnd(error instanceof ForbiddenDestination ? error.message : `${UNABLE}${error.message}`),
      onEnd: reason => {
        if (this.#reconnects) {
          this.#leave()
          onInputRoom()
        } else onEnd(reason && `The connection to ${destination.label} broke: ${reason}`)
      },
    })
    return this.#current
  }

  /** One at a time: a client that connects and goes in a loop leaves no heap of them behind. */
  #leave(): void {
    if (this.#current === undefined) return
    this.#leaving?.destroy()
    this.#leaving = this.#current
    this.#current = undefined
    this.#leaving.release()
  }
}
