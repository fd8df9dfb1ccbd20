import { createContext, Script } from 'node:vm'

/** A pattern that takes longer on so little text goes wrong somewhere (security-cases.md 36). */
const TIMEOUT = 50
/** All patterns of one request together: each of many might take nearly as long as one may. */
const REQUEST_TIMEOUT = 250
/** A busy machine lets time pass without letting us run: that says nothing about the pattern. */
const ATTEMPTS = 5
/** Longer text is not matched at all. */
const MAXIMUM_MATCHED = 65_535

// The whole value has to match, as AWS's own patterns take for granted: that of `executionTimeout` begins
// `([1-9][0-9]{0,4})|` (control-plane.md 14.2), of which any text with a digit has a part. A pattern that is none by
// itself, such as `a)|(.*`, must not become one by that.
const search = new Script(
  '(whole => values.findIndex(value => !whole.test(value)))((new RegExp(pattern), new RegExp(`^(?:${pattern})$`)))',
)
const sandbox: { pattern: string; values: readonly string[] } = Object.assign(Object.create(null), {
  pattern: '',
  values: [],
})
const context = createContext(sandbox)

/** What is left of the time for the patterns of one request (ms). */
export type Patience = { left: number }

export function newPatience(): Patience {
  return { left: REQUEST_TIMEOUT }
}

/** Whether all of the value matches. `too-slow`: the pattern backtracks for ever on this text, and was stopped. Throws SyntaxError if it is none. */
export function matchesPattern(pattern: string, value: string): boolean | 'too-slow' {
  const mismatch = firstMismatch(pattern, [value], newPatience())
  return mismatch === 'too-slow' ? mismatch : mismatch === -1
}

/** The place of the first of the values that does not match, -1 if all do. They have as much time as one would have. */
export function firstMismatch(
  pattern: string,
  values: readonly string[],
  patience: Patience,
): number | 'too-slow' {
  const long = values.findIndex(value => value.length > MAXIMUM_MATCHED)
  if (long !== -1) return long
  sandbox.pattern = pattern
  sandbox.values = values
  for (let attempt = 1; ; attempt++) {
    if (patience.left <= 0) return 'too-slow'
    const before = process.cpuUsage()
    try {
      // A regular expression can only be stopped from outside of the code that runs it.
      return Number(search.runInContext(context, { timeout: TIMEOUT }))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
      const ran = process.cpuUsage(before).user / 1000
      if (ran >= TIMEOUT / 2 || attempt === ATTEMPTS) return 'too-slow'
    } finally {
      patience.left -= process.cpuUsage(before).user / 1000
    }
  }
}
