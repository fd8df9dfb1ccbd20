import { AwsError } from '@sallyport/protocol/aws/error'
import { matchesPattern } from './allowed-pattern.ts'
import type { DocumentParameter, SessionDocument } from './session-documents.ts'

/**
 * Checks what a caller gave against what the document declares, and reduces it to what agents expect: a plain
 * string for a `String`, although the API has lists everywhere (data-plane.md 7.1).
 */
export function bindParameters(
  document: SessionDocument,
  given: Readonly<Record<string, readonly string[]>>,
): Record<string, string | string[]> {
  const declared = document.parameters ?? {}
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(declared, name)) continue
    const names = Object.keys(declared)
    const known = names.length === 0 ? 'It has none.' : `It has ${names.join(', ')}.`
    throw invalid(`the document has no parameter '${name}'. ${known}`)
  }
  const bound: Record<string, string | string[]> = {}
  for (const [name, parameter] of Object.entries(declared)) {
    const values = Object.hasOwn(given, name) ? given[name] : undefined
    bound[name] = bindOne(name, parameter, values)
  }
  return bound
}

function bindOne(
  name: string,
  parameter: DocumentParameter,
  values: readonly string[] | undefined,
): string | string[] {
  if (values === undefined) {
    if (parameter.default === undefined)
      throw invalid(`the parameter '${name}' has no default and was not given.`)
    return parameter.default
  }
  checkValues(name, parameter, values)
  if (parameter.type === 'StringList') return [...values]
  const [value] = values
  if (value === undefined || values.length > 1)
    throw invalid(`the parameter '${name}' takes one value, not ${values.length}.`)
  return value
}

/** Throws `InvalidParameters` if the parameter does not allow one of the values, or so many of them. */
export function checkValues(name: string, parameter: DocumentParameter, values: readonly string[]): void {
  for (const value of values) checkValue(name, parameter, value)
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = parameter
  if (parameter.type === 'StringList' && (values.length < minItems || values.length > maxItems)) {
    throw invalid(`the parameter '${name}' takes ${range(minItems, maxItems)} values, not ${values.length}.`)
  }
}

function checkValue(name: string, parameter: DocumentParameter, value: string): void {
  const { allowedValues, allowedPattern, minChars = 0, maxChars = Number.POSITIVE_INFINITY } = parameter
  if (allowedValues !== undefined && !allowedValues.includes(value)) {
    throw invalid(`the parameter '${name}' must be one of ${allowedValues.join(', ')}.`)
  }
  if (value.length < minChars || value.length > maxChars) {
    throw invalid(
      `the parameter '${name}' takes ${range(minChars, maxChars)} characters, not ${value.length}.`,
    )
  }
  if (allowedPattern === undefined) return
  const matches = matchesPattern(allowedPattern, value)
  if (matches === 'too-slow') {
    throw invalid(
      `the allowedPattern of '${name}' takes too long on this value; the document should simplify it.`,
    )
  }
  if (!matches) throw invalid(`the value of the parameter '${name}' does not match ${allowedPattern}.`)
}

function range(least: number, most: number): string {
  return most === Number.POSITIVE_INFINITY ? `at least ${least}` : `${least} to ${most}`
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidParameters', `The parameters do not fit: ${message}`)
}
