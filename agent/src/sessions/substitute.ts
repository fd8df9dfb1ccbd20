/** data-plane.md 7.1: parameters with other names are dropped. */
const NAME = /^[a-zA-Z0-9]+$/
/** A reference to anything, and one to a parameter; the rest between braces is text, such as docker's `{{.Names}}`. */
const REFERENCE = /\{\{ *(?:([a-zA-Z0-9]+) *|ssm(?:-secure)?:[^{}]*)\}\}/g
const WHOLE = new RegExp(`^${REFERENCE.source}$`)
/** Words of Go's template language (text/template), which `--format` options of many programs take without any blanks. */
const GO_WORDS = new Set(['else', 'end', 'break', 'continue'])
/** What a document may grow to, characters; a task has at most 256 KiB, but may name a large parameter often. */
const MAXIMUM_TEXT = 1024 * 1024
const MAXIMUM_DEPTH = 64

export type Declared = { parameters?: unknown; properties?: unknown; inputs?: unknown }

/**
 * Puts the parameters of a session into `properties` and `inputs` of its document (data-plane.md 7.1): in one pass, so
 * that what a value contains stays what it is. A text that is exactly `{{ name }}` becomes the value itself, of whatever
 * type; elsewhere a string goes in as it is and anything else as JSON. Values that are missing come from the defaults.
 * Throws, with a message for the user, at a reference that means nothing here.
 */
export function substitute<D extends Declared>(document: D, given: unknown): D {
  const values = valuesOf(document.parameters, given)
  const budget = { left: MAXIMUM_TEXT }
  const replaced = (part: unknown): unknown => replaceIn(part, values, budget, MAXIMUM_DEPTH)
  return {
    ...document,
    ...(document.properties !== undefined && { properties: replaced(document.properties) }),
    ...(document.inputs !== undefined && { inputs: replaced(document.inputs) }),
  }
}

type Values = ReadonlyMap<string, unknown>

function valuesOf(declared: unknown, given: unknown): Values {
  const values = new Map<string, unknown>()
  for (const [name, parameter] of entriesOf(declared)) {
    const value = entriesOf(parameter).find(([key]) => key.toLowerCase() === 'default')?.[1]
    if (value !== undefined && NAME.test(name)) values.set(name, value)
  }
  for (const [name, value] of entriesOf(given)) if (NAME.test(name)) values.set(name, value)
  return values
}

/** Own members only: what an object inherits is nobody's parameter. */
function entriesOf(json: unknown): [string, unknown][] {
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? Object.entries(json) : []
}

function replaceIn(json: unknown, values: Values, budget: { left: number }, depth: number): unknown {
  if (depth === 0) throw new Error(`The session document is nested more than ${MAXIMUM_DEPTH} levels deep.`)
  if (typeof json === 'string') return replaceText(json, values, budget)
  if (Array.isArray(json)) return json.map(item => replaceIn(item, values, budget, depth - 1))
  if (typeof json !== 'object' || json === null) return json
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [key, replaceIn(value, values, budget, depth - 1)]),
  )
}

function replaceText(text: string, values: Values, budget: { left: number }): unknown {
  const spend = (value: unknown): string => {
    const written = typeof value === 'string' ? value : JSON.stringify(value)
    budget.left -= written.length
    if (budget.left >= 0) return written
    throw new Error(`The session document with its parameters has more than ${MAXIMUM_TEXT} characters.`)
  }
  const name = WHOLE.exec(text)?.[1]
  if (name !== undefined && values.has(name)) {
    const value = values.get(name)
    spend(value)
    return value
  }
  return text.replace(REFERENCE, (reference: string, name?: string) => {
    if (name !== undefined && values.has(name)) return spend(values.get(name))
    if (name !== undefined && GO_WORDS.has(name)) return reference
    throw new Error(problemOf(reference, name))
  })
}

function problemOf(reference: string, name: string | undefined): string {
  if (name === undefined) {
    return `The session document refers to ${reference}, a parameter of the Parameter Store, which this agent cannot read. Declare it as a parameter of the document.`
  }
  return `The session document refers to ${reference}, but the parameter '${name}' has neither a value nor a default.`
}
