import { createContext, Script } from 'node:vm'

/** A pattern that takes longer on so little text goes wrong somewhere (security-cases.md 36). */
const TIMEOUT = 50
/** Longer text is not matched at all. */
const MAXIMUM_MATCHED = 65_535

const match = new Script('new RegExp(pattern).test(value)')
const sandbox: { pattern: string; value: string } = Object.assign(Object.create(null), {
  pattern: '',
  value: '',
})
const context = createContext(sandbox)

/** `too-slow`: the pattern backtracks for ever on this text, and was stopped. Throws SyntaxError if it is none. */
export function matchesPattern(pattern: string, value: string): boolean | 'too-slow' {
  if (value.length > MAXIMUM_MATCHED) return false
  sandbox.pattern = pattern
  sandbox.value = value
  try {
    // A regular expression can only be stopped from outside of the code that runs it.
    return match.runInContext(context, { timeout: TIMEOUT }) === true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return 'too-slow'
    throw error
  }
}
