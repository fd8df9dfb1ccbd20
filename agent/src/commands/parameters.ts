import { isObject, type Json } from './json.ts'
import { asText, PARAMETER_NAME, type Values } from './substitute.ts'

const TYPES = ['String', 'StringList', 'Boolean', 'Integer', 'MapList', 'StringMap']
const INTEGER = /^-?\d{1,15}$/
/** Declared in a parameter: scripts get the value from their environment, never as a part of their text. */
const IN_ENVIRONMENT = 'ENV_VAR'

export type BoundParameters = {
  values: Map<string, unknown>
  /** The names of those that scripts find in their environment. */
  inEnvironment: Set<string>
}

/**
 * What was given and the defaults of the rest, each in its declared type. Throws an Error for the user where a value
 * is missing or a declaration means nothing. Everything else is for the server to check (control-plane.md 12.3).
 */
export function bindParameters(declared: Json, given: Readonly<Json>): BoundParameters {
  const values = new Map(Object.entries(given).filter(([name]) => PARAMETER_NAME.test(name)))
  const inEnvironment = new Set<string>()
  for (const [name, declaration] of Object.entries(declared)) {
    const { type, default: preset, interpolationType } = readDeclaration(name, declaration)
    const value = values.get(name) ?? preset
    if (value === undefined || value === null) {
      throw new Error(`The parameter '${name}' has neither a value nor a default.`)
    }
    values.set(name, inType(type, value))
    if (interpolationType === IN_ENVIRONMENT) inEnvironment.add(name)
  }
  return { values, inEnvironment }
}

/** The name that AWS gives the variable of a parameter. */
export function variableOf(parameter: string): string {
  return `SSM_${parameter}`
}

/** How scripts refer to variables in place of the values that must not become a part of them. */
export function codeValues(
  { values, inEnvironment }: BoundParameters,
  refer: (variable: string) => string,
): Values {
  const safe = new Map<string, unknown>(values)
  for (const name of inEnvironment) safe.set(name, refer(variableOf(name)))
  return safe
}

export function environmentOf({ values, inEnvironment }: BoundParameters): Record<string, string> {
  return Object.fromEntries([...inEnvironment].map(name => [variableOf(name), asText(values.get(name))]))
}

type Declaration = { type: string; default: unknown; interpolationType: unknown }

function readDeclaration(name: string, declaration: unknown): Declaration {
  if (!PARAMETER_NAME.test(name)) {
    throw new Error(`'${name}' is no name for a parameter: letters and digits only.`)
  }
  if (!isObject(declaration)) throw new Error(`The parameter '${name}' is not declared as an object.`)
  const { type, default: preset, interpolationType } = declaration
  if (typeof type !== 'string' || !TYPES.includes(type)) {
    throw new Error(`The parameter '${name}' must have one of the types ${TYPES.join(', ')}.`)
  }
  return { type, default: preset, interpolationType }
}

/** The API has lists of strings for everything; what is no such thing stays what it was given as. */
function inType(type: string, given: unknown): unknown {
  if (type === 'StringList') return Array.isArray(given) ? given : [given]
  if (type === 'MapList')
    return (Array.isArray(given) ? given : [given]).map(item => fromJson(item, isObject))
  const value = Array.isArray(given) && given.length === 1 ? given[0] : given
  if (type === 'StringMap') return fromJson(value, isObject)
  if (typeof value !== 'string') return value
  if (type === 'Boolean' && /^(?:true|false)$/i.test(value)) return value.toLowerCase() === 'true'
  if (type === 'Integer' && INTEGER.test(value)) return Number(value)
  return value
}

function fromJson(value: unknown, isWanted: (json: unknown) => boolean): unknown {
  if (typeof value !== 'string') return value
  try {
    const json: unknown = JSON.parse(value)
    return isWanted(json) ? json : value
  } catch {
    return value
  }
}
