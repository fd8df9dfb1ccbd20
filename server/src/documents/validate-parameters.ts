import { AwsError } from '@sallyport/protocol/aws/error'
import {
  checkObject,
  checkSpelling,
  checkString,
  invalid,
  isObject,
  isStrings,
  referencesIn,
} from './content.ts'
import { checkValues } from './parameters.ts'
import type { DocumentParameter } from './session-documents.ts'

const PARAMETER_NAME = /^[a-zA-Z0-9]+$/
const BOUNDS = ['minChars', 'maxChars', 'minItems', 'maxItems']
const KEYS = ['type', 'description', 'default', 'allowedPattern', 'allowedValues', ...BOUNDS]

/** What a session document declares that callers may give (control-plane.md 12.3). Answers the names. */
export function checkParameters(parameters: unknown): Set<string> {
  checkObject('parameters', parameters)
  for (const [name, parameter] of Object.entries(parameters ?? {})) checkParameter(name, parameter)
  return new Set(Object.keys(parameters ?? {}))
}

function checkParameter(name: string, parameter: unknown): void {
  if (!PARAMETER_NAME.test(name))
    throw invalid(`'${name}' is no name for a parameter: letters and digits only.`)
  const place = `parameters.${name}`
  if (!isObject(parameter)) throw invalid(`${place} must be an object.`)
  checkSpelling(`${place}.`, parameter, KEYS)
  const { type, allowedPattern, allowedValues, default: value, description } = parameter
  if (type !== 'String' && type !== 'StringList') {
    throw invalid(`${place}.type must be String or StringList, not ${JSON.stringify(type)}.`)
  }
  checkString(`${place}.description`, description)
  if (allowedValues !== undefined && !isStrings(allowedValues)) {
    throw invalid(`${place}.allowedValues must be a list of strings.`)
  }
  checkPattern(`${place}.allowedPattern`, allowedPattern)
  for (const key of BOUNDS) {
    if (parameter[key] !== undefined && !(Number.isInteger(parameter[key]) && Number(parameter[key]) >= 0))
      throw invalid(`${place}.${key} must be a whole number.`)
  }
  if (value === undefined) return
  if (!(type === 'String' ? typeof value === 'string' : isStrings(value))) {
    throw invalid(`${place}.default must be a ${type === 'String' ? 'string' : 'list of strings'}.`)
  }
  checkDefault(place, name, parameter as DocumentParameter, value as string | string[])
}

function checkPattern(place: string, pattern: unknown): void {
  checkString(place, pattern)
  try {
    if (pattern !== undefined) new RegExp(pattern)
  } catch (error) {
    throw invalid(`${place} is not a regular expression: ${(error as Error).message}`)
  }
}

/** AWS's own documents allow their empty defaults expressly: the pattern of a snapshot id begins with `(^$)|`. */
function checkDefault(place: string, name: string, parameter: DocumentParameter, value: string | string[]) {
  try {
    checkValues(name, parameter, typeof value === 'string' ? [value] : value)
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    throw invalid(`${place}.default is not allowed by the parameter itself. ${error.message}`)
  }
}

/** Agents leave a reference to a parameter that is not declared as it stands, in a command line for example. */
export function checkReferences(place: string, value: unknown, declared: ReadonlySet<string>): void {
  if (typeof value === 'string') {
    const unknown = referencesIn(value).find(name => !declared.has(name))
    if (unknown !== undefined) {
      throw invalid(`${place} refers to {{ ${unknown} }}, which is not declared in parameters.`)
    }
  } else if (Array.isArray(value)) {
    value.forEach((each, i) => {
      checkReferences(`${place}[${i}]`, each, declared)
    })
  } else if (isObject(value)) {
    for (const [key, each] of Object.entries(value)) checkReferences(`${place}.${key}`, each, declared)
  }
}
