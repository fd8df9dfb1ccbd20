import type { ListenAddress } from './config.ts'

/** An address that cannot be listened on; the cause is what the system said. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
  readonly address: ListenAddress
  /** Which of the two listeners. */
  readonly scheme: 'https' | 'http'

  constructor(address: ListenAddress, scheme: 'https' | 'http', cause: Error) {
    super(`cannot listen on ${address.host}:${address.port}: ${cause.message}`, { cause })
    this.address = address
    this.scheme = scheme
  }
}
