import { createContext, Script } from 'node:vm'
import { isObject, type Json } from './json.ts'
import type { BoundParameters } from './parameters.ts'
import { asText } from './substitute.ts'

/** A pattern that takes longer backtracks for ever (security-cases.md 36), and everything else waits for it. */
const TIMEOUT = 50
/** Longer values are not matched at all. */
const MAXIMUM_MATCHED = 65_535
const STORED = /\{\{ *ssm:[/\w.:-]+ *\}\}/

// The whole of every value has to match, as on the server.
const match = new Script(
  '(whole => values.every(value => whole.test(value)))((new RegExp(pattern), new RegExp(`^(?:${pattern})$`)))',
)
const sandbox = Object.assign(Object.create(null) as object, { pattern: '', values: [] as string[] })
const context = createContext(sandbox)

/**
 * Whether values fit their declarations: for documents that a step runs. Those of the command itself were checked by the
 * server. A reference to a stored parameter is not known yet, and fits (as with AWS's agent).
 */
export function checkParameters(declared: Json, { values }: BoundParameters): void {
  for (const [name, declaration] of Object.entries(declared)) {
    const value = values.get(name)
    if (!isObject(declaration) || STORED.test(asText(value))) continue
    checkItems(name, declaration, value)
    const items = (Array.isArray(value) ? value : [value]).map(asText)
    for (const item of items) checkOne(name, declaration, item)
    const { allowedPattern } = declaration
    if (typeof allowedPattern === 'string' && !matches(allowedPattern, items)) {
      throw new Error(`The value of the parameter '${name}' does not match ${allowedPattern}.`)
    }
  }
}

function checkItems(name: string, { type, minItems, maxItems }: Json, value: unknown): void {
  const fits =
    (type === 'StringList' && Array.isArray(value) && value.every(item => typeof item === 'string')) ||
    (type === 'String' && typeof value === 'string') ||
    (type === 'Boolean' && typeof value === 'boolean') ||
    (type === 'Integer' && Number.isInteger(value)) ||
    (type === 'MapList' && Array.isArray(value) && value.every(isObject)) ||
    (type === 'StringMap' && isObject(value))
  if (!fits) throw new Error(`The parameter '${name}' must be a ${type}.`)
  if (Array.isArray(value)) checkRange(name, 'items', value.length, minItems, maxItems)
}

function checkOne(name: string, declaration: Json, value: string): void {
  const { allowedValues, minChars, maxChars } = declaration
  if (Array.isArray(allowedValues) && !allowedValues.map(asText).includes(value)) {
    throw new Error(`The parameter '${name}' must be one of ${allowedValues.map(asText).join(', ')}.`)
  }
  checkRange(name, 'characters', value.length, minChars, maxChars)
}

function checkRange(name: string, what: string, count: number, least: unknown, most: unknown): void {
  if (typeof least === 'number' && count < least) {
    throw new Error(`The parameter '${name}' takes at least ${least} ${what}, not ${count}.`)
  }
  if (typeof most === 'number' && count > most) {
    throw new Error(`The parameter '${name}' takes at most ${most} ${what}, not ${count}.`)
  }
}

/** All of them have as much time as one would have. */
function matches(pattern: string, values: readonly string[]): boolean {
  if (values.some(value => value.length > MAXIMUM_MATCHED)) return false
  Object.assign(sandbox, { pattern, values })
  // Throws a SyntaxError for what is no pattern, and after the time-out; both are told to the user.
  return match.runInContext(context, { timeout: TIMEOUT }) === true
}
