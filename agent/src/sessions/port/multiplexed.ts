import type { Socket } from 'node:net'
import { PayloadFlag, PayloadType } from '@sallyport/protocol/message-types'
import { encodeFlag } from '@sallyport/protocol/payloads'
import { SmuxSession } from '@sallyport/protocol/smux/session'
import type { SmuxStream } from '@sallyport/protocol/smux/stream'
import { joinSocket } from '@sallyport/protocol/transport/node-stream'
import { processConnections } from './connection-budget.ts'
import { ForbiddenDestination } from './destination.ts'
import type { PortMode, PortModeOptions } from './mode.ts'

/**
 * Any number of connections at once, each one smux stream. The client opens a stream for each connection that it accepts;
 * here each is connected to the destination, all of them at the same time (data-plane.md 15.4).
 */
export class Multiplexed implements PortMode {
  readonly #options: PortModeOptions
  /** Version 2 is for our own client, which is told why a stream was refused. */
  readonly #version: 1 | 2
  readonly #smux: SmuxSession
  readonly #sockets = new Set<Socket>()
  #full = false
  #stopped = false

  constructor(options: PortModeOptions, version: 1 | 2) {
    this.#options = options
    this.#version = version
    this.#smux = new SmuxSession({
      role: 'server',
      version,
      // Frames of version 2 fill our messages; those of version 1 are cut into many in any case.
      ...(version === 2 && { maximumFrame: options.channel.maximumPayload }),
      send: parts => this.#send(parts),
      onStream: stream => void this.#accept(stream),
      onConsumed: () => {
        this.#full = false
        options.onInputRoom()
      },
    })
    processConnections.add(this.#smux)
  }

  start(): void {}

  /** Throws `ProtocolError` if this is no smux stream. */
  deliver(payload: Uint8Array): boolean {
    if (this.#stopped) return true
    if (this.#full) return false
    this.#full = !this.#smux.receive(payload)
    return true
  }

  onWritable(): void {
    if (!this.#stopped) this.#smux.onRoom()
  }

  endInput(): void {}

  disconnect(): void {}

  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    // Before their streams end: a target that has all it was sent gets an end, not a reset.
    for (const socket of this.#sockets) socket.destroy()
    this.#smux.close('the session has ended')
    processConnections.remove(this.#smux)
  }

  /** What comes before the connection is there waits in the stream, which counts it. */
  async #accept(stream: SmuxStream): Promise<void> {
    const dial = new AbortController()
    stream.onGivenUp = () => {
      dial.abort()
      stream.reset()
    }
    const { destination } = this.#options
    try {
      processConnections.check(destination.label)
      const socket = await destination.connect(dial.signal)
      if (dial.signal.aborted) socket.destroy()
      else this.#join(stream, socket)
    } catch (error) {
      if (!dial.signal.aborted) this.#refuse(stream, error as Error)
    }
  }

  #join(stream: SmuxStream, socket: Socket): void {
    this.#sockets.add(socket)
    joinSocket(stream, socket, { onClosed: () => this.#sockets.delete(socket) })
  }

  /** Just this stream ends. Stock clients print a notice for the flag, which cannot say more (data-plane.md 15.4). */
  #refuse(stream: SmuxStream, error: Error): void {
    const { channel, destination, onRefused } = this.#options
    const what =
      error instanceof ForbiddenDestination ? `${destination.label}: ${error.message}` : error.message
    const reason = `cannot connect to ${what}`
    onRefused(reason)
    if (this.#version === 1 && !this.#stopped) {
      channel.sendWhole(PayloadType.flag, encodeFlag(PayloadFlag.connectToPortError))
    }
    stream.reset(reason)
  }

  #send(parts: readonly Uint8Array[]): boolean {
    return !this.#stopped && this.#options.channel.sendParts(PayloadType.output, parts)
  }
}
