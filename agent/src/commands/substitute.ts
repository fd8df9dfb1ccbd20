/** control-plane.md 12.3; the agent of AWS drops parameters with other names. */
export const PARAMETER_NAME = /^[a-zA-Z0-9]+$/
const REFERENCE = /\{\{\s*([a-zA-Z0-9]+)\s*\}\}/g
const WHOLE = /^\{\{\s*([a-zA-Z0-9]+)\s*\}\}$/
/** Characters that values may add to a document; it may name a large one often. */
const MAXIMUM_ADDED = 8 * 1024 * 1024
const MAXIMUM_DEPTH = 64

export type Values = ReadonlyMap<string, unknown>
type Budget = { left: number }

/**
 * Puts values into JSON in one pass, so that what a value contains stays what it is: in place of a text that is exactly
 * `{{ name }}` the value itself; within a text a string as it is and anything else as JSON, with `$$` as `$`. A name
 * without a value stays as it is written.
 */
export function substitute(json: unknown, values: Values): unknown {
  return replaceIn(json, values, { left: MAXIMUM_ADDED }, MAXIMUM_DEPTH)
}

function replaceIn(json: unknown, values: Values, budget: Budget, depth: number): unknown {
  if (depth === 0) throw new Error(`The document is nested more than ${MAXIMUM_DEPTH} levels deep.`)
  if (typeof json === 'string') return replaceText(json, values, budget)
  if (Array.isArray(json)) return json.map(item => replaceIn(item, values, budget, depth - 1))
  if (typeof json !== 'object' || json === null) return json
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [key, replaceIn(value, values, budget, depth - 1)]),
  )
}

function replaceText(text: string, values: Values, budget: Budget): unknown {
  const name = WHOLE.exec(text)?.[1]
  if (name !== undefined && values.has(name)) {
    const value = values.get(name)
    spend(budget, asText(value))
    return value
  }
  return text.replace(REFERENCE, (reference: string, name: string) => {
    if (!values.has(name)) return reference
    // Its agent once took `$` in values for references of its own, and documents worked around that.
    return spend(
      budget,
      asText(values.get(name)).replaceAll('$$', () => '$'),
    )
  })
}

/** A string as it is, anything else as JSON. */
export function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

function spend(budget: Budget, text: string): string {
  budget.left -= text.length
  if (budget.left >= 0) return text
  throw new Error(`The parameters make the document more than ${MAXIMUM_ADDED} characters longer.`)
}
