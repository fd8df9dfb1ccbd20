import { AwsError } from '@sallyport/protocol/aws/error'
import type { Json } from '../store/schema.ts'
import { firstMismatch, newPatience, type Patience } from './allowed-pattern.ts'
import type { CommandDocument, CommandParameter } from './command-schema.ts'
import { readValue, textsOf, wanted } from './parameter-values.ts'
import type { SessionDocument } from './session-documents.ts'

type Given = Readonly<Record<string, readonly string[]>>

/**
 * Checks what a caller gave against what the document declares, and reduces it to what agents expect: a plain
 * string for a `String`, although the API has lists everywhere (data-plane.md 7.1), a JSON value for the types that
 * only command documents have. Throws `InvalidParameters`.
 */
export function bindParameters(document: SessionDocument, given: Given): Record<string, string | string[]>
export function bindParameters(document: CommandDocument, given: Given): Record<string, Json>
export function bindParameters(
  document: { parameters?: Readonly<Record<string, CommandParameter>> },
  given: Given,
): Record<string, Json> {
  const declared = document.parameters ?? {}
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(declared, name)) continue
    const names = Object.keys(declared)
    const known = names.length === 0 ? 'It has none.' : `It has ${names.join(', ')}.`
    throw invalid(`the document has no parameter '${name}'. ${known}`)
  }
  const bound: Record<string, Json> = {}
  const patience = newPatience()
  for (const [name, parameter] of Object.entries(declared)) {
    const values = Object.hasOwn(given, name) ? given[name] : undefined
    bound[name] = bindOne(name, parameter, values, patience)
  }
  return bound
}

function bindOne(
  name: string,
  parameter: CommandParameter,
  values: readonly string[] | undefined,
  patience: Patience,
): Json {
  if (values === undefined) {
    if (parameter.default === undefined)
      throw invalid(`the parameter '${name}' has no default and was not given.`)
    return readValue(parameter.type, parameter.default) ?? parameter.default
  }
  const one = parameter.type !== 'StringList' && parameter.type !== 'MapList'
  const [first] = values
  if (one && (first === undefined || values.length > 1)) {
    // What is wrong with each of several says more than that they are several.
    checkValues(name, parameter, values, patience)
    throw invalid(`the parameter '${name}' takes one value, not ${values.length}.`)
  }
  const value = readValue(parameter.type, one ? (first ?? null) : [...values])
  if (value === undefined) throw invalid(`the parameter '${name}' must be ${wanted(parameter.type)}.`)
  checkValues(name, parameter, textsOf(parameter.type, value), patience)
  return value
}

/** Throws `InvalidParameters` if the parameter does not allow one of the values, or so many of them. */
export function checkValues(
  name: string,
  parameter: CommandParameter,
  values: readonly string[],
  patience: Patience,
): void {
  const { type, allowedValues, minItems = 0, maxItems = Number.POSITIVE_INFINITY } = parameter
  const allowed = allowedValues && new Set(allowedValues.map(String))
  for (const value of values) checkValue(name, parameter, allowed, value)
  checkAllowedPattern(name, parameter.allowedPattern, values, patience)
  const list = type === 'StringList' || type === 'MapList'
  if (list && (values.length < minItems || values.length > maxItems)) {
    throw invalid(`the parameter '${name}' takes ${range(minItems, maxItems)} values, not ${values.length}.`)
  }
}

function checkValue(
  name: string,
  parameter: CommandParameter,
  allowed: ReadonlySet<string> | undefined,
  value: string,
): void {
  const { minChars = 0, maxChars = Number.POSITIVE_INFINITY } = parameter
  if (allowed?.has(value) === false) {
    throw invalid(`the parameter '${name}' must be one of ${[...allowed].join(', ')}.`)
  }
  if (value.length < minChars || value.length > maxChars) {
    throw invalid(
      `the parameter '${name}' takes ${range(minChars, maxChars)} characters, not ${value.length}.`,
    )
  }
  if (parameter.interpolationType !== undefined && value.includes('\0')) {
    throw invalid(`the value of the parameter '${name}' has a NUL, which no environment can hold.`)
  }
}

function checkAllowedPattern(
  name: string,
  pattern: string | undefined,
  values: readonly string[],
  patience: Patience,
): void {
  if (pattern === undefined) return
  const mismatch = firstMismatch(pattern, values, patience)
  if (mismatch === 'too-slow') {
    throw invalid(
      `the allowedPattern of '${name}' takes too long on this value; the document should simplify it.`,
    )
  }
  if (mismatch !== -1) throw invalid(`the value of the parameter '${name}' does not match ${pattern}.`)
}

function range(least: number, most: number): string {
  return most === Number.POSITIVE_INFINITY ? `at least ${least}` : `${least} to ${most}`
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidParameters', `The parameters do not fit: ${message}`)
}
