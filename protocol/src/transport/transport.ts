/**
 * One websocket, as the protocol sees it. `node.ts` is the real one, `memory.ts` a pair for tests; the browser's
 * will be a third.
 */
export type Connection = {
  /** Bytes go out as a binary message, text as a text message. After the close it does nothing. */
  send(data: Uint8Array | string): void
  /** Bytes handed over and not yet taken by the network. */
  readonly bufferedBytes: number
  /** Stops and restarts reading: the far end's back-pressure. */
  pause(): void
  resume(): void
  /** A frame that the peer answers by itself; `events.pong` hears the answer. */
  ping(): void
  /** Sends a close frame; `reason` is cut to what fits. */
  close(code: number, reason: string): void
  /** Drops the connection without a word. */
  terminate(): void
  /** Set once by the owner, before the next turn of the event loop. */
  events: ConnectionEvents
}

export type ConnectionEvents = {
  message(data: Uint8Array, isText: boolean): void
  /** `bufferedBytes` has come down. */
  drain(): void
  /** A sign of life: the answer to a ping, or a ping of the peer's, who may be too busy to read ours. */
  pong(): void
  /** Exactly once, whoever ended it. */
  close(code: number, reason: string): void
}

/** A dial that failed: `status` is the HTTP status if the server answered. */
export class DialError extends Error {
  override readonly name = 'DialError'
  readonly status: number | undefined

  constructor(message: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.status = options.status
  }
}

export const NO_EVENTS: ConnectionEvents = {
  message: () => {},
  drain: () => {},
  pong: () => {},
  close: () => {},
}
