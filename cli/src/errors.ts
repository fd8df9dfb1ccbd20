/**
 * Exit statuses of `sallyport` and of our `session-manager-plugin`. A session that a signal ends has 128 + its
 * number, as in a shell; 255 is what ssh(1) uses for a connection that failed.
 */
export const EXIT = { ok: 0, failure: 1, usage: 2, connectionLost: 255 } as const

/** Something the person can put right: shown as its message alone, without a stack. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number

  constructor(message: string, exitCode: number = EXIT.failure, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.exitCode = exitCode
  }
}

/** Wrong arguments or settings: exit status 2. */
export const usageError = (message: string) => new CliError(message, EXIT.usage)
