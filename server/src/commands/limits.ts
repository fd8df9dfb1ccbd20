/** How many invocations of a command may be under way together: `n` or `n%` of its targets, at least 1. */
export function concurrencyLimit(maxConcurrency: string, targets: number): number {
  return Math.max(1, share(maxConcurrency, targets))
}

/**
 * How many invocations may fail with the command going on: `n` or `n%` of its targets, rounded down. AWS's example:
 * 10% of 50 targets stop the command when the sixth error comes ("Run commands at scale").
 */
export function errorLimit(maxErrors: string, targets: number): number {
  return share(maxErrors, targets)
}

/** Throws RangeError for what is neither; the shapes of the API let no such thing through. */
function share(limit: string, targets: number): number {
  const [, digits, percent] = /^(\d{1,9})(%?)$/.exec(limit) ?? []
  if (digits === undefined)
    throw new RangeError(`${JSON.stringify(limit)} is neither a number nor a percentage`)
  return percent === '%' ? Math.floor((Number(digits) * targets) / 100) : Number(digits)
}
