/**
 * `full`: no room on the disk. `busy`: locked by another process, or too much is waiting; try again.
 * `constraint`: the row contradicts another one. `bad-token`: a page token that this list never gave.
 * `failed`: anything else.
 */
export type StoreErrorCode = 'full' | 'busy' | 'constraint' | 'bad-token' | 'failed'

/** The store did not do what was asked; nothing of it is in the store. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}
