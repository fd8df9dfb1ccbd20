/** What can be wrong with something a peer sent, or with what it stopped sending. */
export type ProtocolErrorCode =
  | 'frame-too-short'
  | 'frame-too-long'
  | 'bad-header-length'
  | 'bad-message-type'
  | 'bad-payload-length'
  | 'bad-digest'
  | 'bad-created-date'
  | 'bad-sequence-number'
  | 'bad-json'
  | 'bad-payload'
  | 'bad-smux-frame'
  | 'bad-encryption'
  | 'unexpected-message'
  | 'handshake-failed'
  | 'handshake-timeout'
  | 'buffer-overflow'

/**
 * A peer broke the protocol. `retryable` answers whether a new connection may go better: a damaged frame may
 * have been an accident of the link, a handshake that was refused will be refused again.
 */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly code: ProtocolErrorCode
  readonly retryable: boolean

  constructor(
    code: ProtocolErrorCode,
    message: string,
    options: { retryable?: boolean; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
  }
}
