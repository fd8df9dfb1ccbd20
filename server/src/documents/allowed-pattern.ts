import { createContext, Script } from 'node:vm'

/** A pattern that takes longer on so little text goes wrong somewhere (security-cases.md 36). */
const TIMEOUT = 50
/** A busy machine lets time pass without letting us run: that says nothing about the pattern. */
const ATTEMPTS = 5
/** Longer text is not matched at all. */
const MAXIMUM_MATCHED = 65_535

// The whole value has to match, as AWS's own patterns take for granted: that of `executionTimeout` begins
// `([1-9][0-9]{0,4})|` (control-plane.md 14.2), of which any text with a digit has a part.
const match = new Script('new RegExp(`^(?:${pattern})$`).test(value)')
const sandbox: { pattern: string; value: string } = Object.assign(Object.create(null), {
  pattern: '',
  value: '',
})
const context = createContext(sandbox)

/** Whether all of the value matches. `too-slow`: the pattern backtracks for ever on this text, and was stopped. Throws SyntaxError if it is none. */
export function matchesPattern(pattern: string, value: string): boolean | 'too-slow' {
  if (value.length > MAXIMUM_MATCHED) return false
  sandbox.pattern = pattern
  sandbox.value = value
  for (let attempt = 1; ; attempt++) {
    const before = process.cpuUsage()
    try {
      // A regular expression can only be stopped from outside of the code that runs it.
      return match.runInContext(context, { timeout: TIMEOUT }) === true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
      const ran = process.cpuUsage(before).user / 1000
      if (ran >= TIMEOUT / 2 || attempt === ATTEMPTS) return 'too-slow'
    }
  }
}
