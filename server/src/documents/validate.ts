import { AwsError } from '@sallyport/protocol/aws/error'
import { sessionLimits } from './preferences.ts'
import type { SessionDocument } from './session-documents.ts'

const SESSION_TYPES = new Set(['Standard_Stream', 'InteractiveCommands', 'NonInteractiveCommands', 'Port'])
const PARAMETER_NAME = /^[a-zA-Z0-9]+$/
const PARAMETER_TYPES = new Set(['String', 'StringList'])
/** A value of another type makes a stock agent drop the whole task without a word (data-plane.md 7.1, 7.2). */
const STRINGS = ['s3BucketName', 's3KeyPrefix', 'cloudWatchLogGroupName', 'kmsKeyId', 'runAsDefaultUser']
const BOOLEANS = [
  's3EncryptionEnabled',
  'cloudWatchEncryptionEnabled',
  'cloudWatchStreamingEnabled',
  'runAsEnabled',
]

/** Parses the content of a session document. Throws `InvalidDocumentContent` or `InvalidDocumentSchemaVersion`. */
export function parseSessionDocument(content: string): SessionDocument {
  const document = parseObject(content)
  if (document.schemaVersion !== '1.0') {
    throw new AwsError(
      'InvalidDocumentSchemaVersion',
      `A session document has schemaVersion "1.0", not ${JSON.stringify(document.schemaVersion)}.`,
    )
  }
  if (typeof document.sessionType !== 'string' || !SESSION_TYPES.has(document.sessionType)) {
    throw invalid(`sessionType must be one of ${[...SESSION_TYPES].join(', ')}.`)
  }
  const { inputs, parameters } = document
  if (inputs !== undefined && !isObject(inputs)) throw invalid('inputs must be an object.')
  for (const key of BOOLEANS) checkBoolean(key, inputs?.[key])
  for (const key of STRINGS) checkString(`inputs.${key}`, inputs?.[key])
  checkShellProfile(inputs?.shellProfile)
  if (parameters !== undefined && !isObject(parameters)) throw invalid('parameters must be an object.')
  for (const [name, parameter] of Object.entries(parameters ?? {})) checkParameter(name, parameter)
  const session = document as SessionDocument
  sessionLimits(session)
  return session
}

function parseObject(content: string): Record<string, unknown> {
  let document: unknown
  try {
    document = JSON.parse(content)
  } catch (error) {
    throw invalid(`it is not valid JSON: ${(error as Error).message}`)
  }
  if (!isObject(document)) throw invalid('it is not a JSON object.')
  return document
}

function checkBoolean(key: string, value: unknown): void {
  if (value === undefined || typeof value === 'boolean') return
  // A stock agent fails to parse the whole task over a string here (data-plane.md 7.1).
  if (key !== 'cloudWatchStreamingEnabled' && (value === '' || value === 'true' || value === 'false')) return
  throw invalid(`inputs.${key} must be true or false.`)
}

function checkString(place: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'string') throw invalid(`${place} must be a string.`)
}

function checkShellProfile(profile: unknown): void {
  if (profile === undefined) return
  if (!isObject(profile)) throw invalid('inputs.shellProfile must be an object.')
  for (const platform of ['linux', 'windows']) {
    checkString(`inputs.shellProfile.${platform}`, profile[platform])
  }
}

function checkParameter(name: string, parameter: unknown): void {
  if (!PARAMETER_NAME.test(name))
    throw invalid(`'${name}' is no name for a parameter: letters and digits only.`)
  if (!isObject(parameter) || !PARAMETER_TYPES.has(String(parameter.type))) {
    throw invalid(`the parameter '${name}' must have the type String or StringList.`)
  }
  const { type, allowedPattern, allowedValues, default: value, description } = parameter
  checkString(`the description of '${name}'`, description)
  if (allowedValues !== undefined && !isStrings(allowedValues)) {
    throw invalid(`the allowedValues of '${name}' must be a list of strings.`)
  }
  if (value !== undefined && !(type === 'String' ? typeof value === 'string' : isStrings(value))) {
    throw invalid(`the default of '${name}' must be a ${type === 'String' ? 'string' : 'list of strings'}.`)
  }
  checkString(`the allowedPattern of '${name}'`, allowedPattern)
  try {
    if (typeof allowedPattern === 'string') new RegExp(allowedPattern)
  } catch {
    throw invalid(`the allowedPattern of '${name}' is not a regular expression.`)
  }
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(each => typeof each === 'string')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidDocumentContent', `The content of the document is not valid: ${message}`)
}
