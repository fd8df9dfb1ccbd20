import { AwsError } from '@sallyport/protocol/aws/error'
import { newPatience, type Patience } from './allowed-pattern.ts'
import type { CommandParameter, ParameterType } from './command-schema.ts'
import { checkObject, checkSpelling, checkString, invalid, isObject, isStrings } from './content.ts'
import { readValue, textsOf, wanted } from './parameter-values.ts'
import { checkValues } from './parameters.ts'

const PARAMETER_NAME = /^[a-zA-Z0-9]+$/
const BOUNDS = ['minChars', 'maxChars', 'minItems', 'maxItems']
const KEYS = ['type', 'description', 'default', 'allowedPattern', 'allowedValues', ...BOUNDS]
const COMMAND_KEYS = ['displayType', 'interpolationType']
const DISPLAY_TYPES = ['textfield', 'textarea']
/** What stands in Parameter Store is known when the document is run. */
const PARAMETER_STORE = /^\{\{\s*ssm:[^{}]+\}\}$/

/** What the parameters of a kind of documents may be. */
export type ParameterRules = {
  types: readonly ParameterType[]
  /** Why `interpolationType` cannot be used; undefined if it can. */
  interpolation: string | undefined
}

export const sessionParameters: ParameterRules = {
  types: ['String', 'StringList'],
  interpolation: 'is for command documents',
}

/** What a document declares that callers may give (control-plane.md 12.3). Answers the names. */
export function checkParameters(parameters: unknown, rules: ParameterRules): Set<string> {
  checkObject('parameters', parameters)
  const patience = newPatience()
  for (const [name, parameter] of Object.entries(parameters ?? {})) {
    checkParameter(name, parameter, rules, patience)
  }
  return new Set(Object.keys(parameters ?? {}))
}

function checkParameter(name: string, parameter: unknown, rules: ParameterRules, patience: Patience): void {
  if (!PARAMETER_NAME.test(name))
    throw invalid(`'${name}' is no name for a parameter: letters and digits only.`)
  const place = `parameters.${name}`
  if (!isObject(parameter)) throw invalid(`${place} must be an object.`)
  checkSpelling(`${place}.`, parameter, [...KEYS, ...COMMAND_KEYS])
  const { allowedPattern, description } = parameter
  const type = checkType(place, parameter.type, rules)
  checkString(`${place}.description`, description)
  checkAllowedValues(place, type, parameter.allowedValues)
  checkPattern(`${place}.allowedPattern`, allowedPattern)
  for (const key of BOUNDS) {
    if (parameter[key] !== undefined && !(Number.isInteger(parameter[key]) && Number(parameter[key]) >= 0))
      throw invalid(`${place}.${key} must be a whole number.`)
  }
  checkDisplay(place, parameter.displayType)
  checkInterpolation(`${place}.interpolationType`, type, parameter.interpolationType, rules)
  checkDefault(place, name, parameter as CommandParameter, patience)
}

function checkType(place: string, type: unknown, { types }: ParameterRules): ParameterType {
  const known = types.find(each => each === type)
  if (known !== undefined) return known
  const list = types.length === 2 ? types.join(' or ') : `one of ${types.join(', ')}`
  throw invalid(`${place}.type must be ${list}, not ${JSON.stringify(type)}.`)
}

function checkAllowedValues(place: string, type: ParameterType, values: unknown): void {
  if (values === undefined) return
  if (type === 'String' || type === 'StringList') {
    if (!isStrings(values)) throw invalid(`${place}.allowedValues must be a list of strings.`)
    return
  }
  const fitting =
    (type === 'Boolean' || type === 'Integer') &&
    Array.isArray(values) &&
    values.every(value => readValue(type, value) !== undefined)
  if (!fitting) throw invalid(`${place}.allowedValues must be a list of values of type ${type}.`)
}

function checkPattern(place: string, pattern: unknown): void {
  checkString(place, pattern)
  try {
    if (pattern !== undefined) new RegExp(pattern)
  } catch (error) {
    throw invalid(`${place} is not a regular expression: ${(error as Error).message}`)
  }
}

function checkDisplay(place: string, displayType: unknown): void {
  if (displayType === undefined || DISPLAY_TYPES.some(known => known === displayType)) return
  throw invalid(
    `${place}.displayType must be ${DISPLAY_TYPES.join(' or ')}, not ${JSON.stringify(displayType)}.`,
  )
}

/** Where agents do not heed it, values that look safe would be code. */
function checkInterpolation(place: string, type: ParameterType, given: unknown, rules: ParameterRules): void {
  if (given === undefined) return
  if (given !== 'ENV_VAR') throw invalid(`${place} must be ENV_VAR or absent, not ${JSON.stringify(given)}.`)
  if (rules.interpolation !== undefined) throw invalid(`${place} ${rules.interpolation}.`)
  if (type !== 'String') throw invalid(`${place} is for parameters of type String, not ${type}.`)
}

/** AWS's own documents allow their empty defaults expressly: the pattern of a snapshot id begins with `(^$)|`. */
function checkDefault(place: string, name: string, parameter: CommandParameter, patience: Patience): void {
  const { type, default: given } = parameter
  if (given === undefined) return
  const value = readValue(type, given)
  if (value === undefined) throw invalid(`${place}.default must be ${wanted(type)}.`)
  const texts = textsOf(type, value)
  if (texts.some(text => PARAMETER_STORE.test(text))) return
  try {
    checkValues(name, parameter, texts, patience)
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    throw invalid(`${place}.default is not allowed by the parameter itself. ${error.message}`)
  }
}
