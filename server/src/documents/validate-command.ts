import { AwsError } from '@sallyport/protocol/aws/error'
import { actionNames } from './actions.ts'
import { type CommandDocument, parameterTypes } from './command-schema.ts'
import { checkReferences, checkSpelling, checkString, invalid, isObject, isTemplate } from './content.ts'
import { readContent } from './content-format.ts'
import { platformsOf } from './platforms.ts'
import { checkPrecondition } from './precondition.ts'
import { checkParameters } from './validate-parameters.ts'
import { checkStepInputs } from './validate-step-inputs.ts'

/** control-plane.md 12.1 */
const PLUGIN_SCHEMAS = ['1.0', '1.2']
const STEP_SCHEMAS = ['2.0', '2.0.1', '2.0.2', '2.0.3', '2.2']
const KEYS = ['schemaVersion', 'description', 'parameters', 'runtimeConfig', 'mainSteps', 'sessionType']
const STEP_KEYS = [
  'action',
  'name',
  'inputs',
  'precondition',
  'maxAttempts',
  'onFailure',
  'settings',
  'timeoutSeconds',
]
/** It becomes the name of a directory on the node (security-cases.md 38). */
const STEP_NAME = /^[a-zA-Z0-9_-]{1,128}$/

/**
 * Parses the content of a command document of any schema. The result is shared and frozen. Throws
 * `InvalidDocumentContent` or `InvalidDocumentSchemaVersion` with the place of what is wrong, such as
 * `mainSteps[1].inputs.timeoutSeconds`.
 */
export function parseCommandDocument(content: string, format: string): CommandDocument {
  const document = readContent(format, content)
  checkSpelling('', document, KEYS)
  const { description, parameters, sessionType } = document
  const schemaVersion = checkSchema(document.schemaVersion)
  if (sessionType !== undefined) {
    throw invalid('sessionType makes it a session document: create it with --document-type Session.')
  }
  checkString('description', description)
  const interpolation =
    schemaVersion === '2.2' ? undefined : `needs schemaVersion 2.2; agents do not heed it in ${schemaVersion}`
  const declared = checkParameters(parameters, { types: parameterTypes, interpolation })
  if (PLUGIN_SCHEMAS.includes(schemaVersion)) checkPlugins(schemaVersion, document, declared)
  else checkSteps(schemaVersion, document, declared)
  const command = document as unknown as CommandDocument
  if (platformsOf(command).length === 0) {
    throw invalid(
      'none of its steps runs anywhere: each precondition asks for a platform without its action.',
    )
  }
  return command
}

function checkSchema(version: unknown): string {
  const known = [...PLUGIN_SCHEMAS, ...STEP_SCHEMAS]
  if (typeof version === 'string' && known.includes(version)) return version
  const automation =
    version === '0.3' ? ' Automation documents, of schemaVersion 0.3, are not supported.' : ''
  const quoted = typeof version === 'number' ? ' It is a string: put it in quotation marks.' : ''
  throw new AwsError(
    'InvalidDocumentSchemaVersion',
    `A command document has one of the schemaVersions ${known.join(', ')}, not ${JSON.stringify(version)}.${automation}${quoted}`,
  )
}

type Part = Readonly<Record<string, unknown>>

function checkPlugins(schemaVersion: string, document: Part, declared: ReadonlySet<string>): void {
  const { runtimeConfig, mainSteps } = document
  if (mainSteps !== undefined)
    throw invalid(`mainSteps needs schemaVersion 2.0 or later, not ${schemaVersion}.`)
  if (!isObject(runtimeConfig) || Object.keys(runtimeConfig).length === 0) {
    throw invalid('runtimeConfig must be an object that has at least one plugin.')
  }
  for (const [plugin, config] of Object.entries(runtimeConfig)) {
    const place = `runtimeConfig.${plugin}`
    checkAction(place, plugin)
    if (!isObject(config)) throw invalid(`${place} must be an object.`)
    checkSpelling(`${place}.`, config, ['properties', 'settings'])
    checkPluginProperties(`${place}.properties`, plugin, config.properties)
    checkReferences(place, config, declared)
  }
}

/** One set of inputs, or a list of them that are run one by one. */
function checkPluginProperties(place: string, plugin: string, properties: unknown): void {
  if (typeof properties === 'string' && isTemplate(properties)) return
  if (!Array.isArray(properties)) return checkStepInputs(place, plugin, properties)
  if (properties.length === 0) throw invalid(`${place} must not be empty.`)
  properties.forEach((each, i) => {
    checkStepInputs(`${place}[${i}]`, plugin, each)
  })
}

function checkSteps(schemaVersion: string, document: Part, declared: ReadonlySet<string>): void {
  const { runtimeConfig, mainSteps } = document
  if (runtimeConfig !== undefined) {
    throw invalid(`runtimeConfig is of schemaVersion 1.2; in ${schemaVersion} there is mainSteps.`)
  }
  if (!Array.isArray(mainSteps) || mainSteps.length === 0) {
    throw invalid('mainSteps must be a list of at least one step.')
  }
  const names = new Map<string, number>()
  mainSteps.forEach((step, i) => {
    const place = `mainSteps[${i}]`
    if (!isObject(step)) throw invalid(`${place} must be an object.`)
    checkSpelling(`${place}.`, step, STEP_KEYS)
    checkAction(`${place}.action`, step.action)
    const name = checkName(`${place}.name`, step.name)
    const earlier = names.get(name)
    if (earlier !== undefined) throw invalid(`${place}.name is that of mainSteps[${earlier}], too: ${name}.`)
    names.set(name, i)
    checkPrecondition(`${place}.precondition`, schemaVersion, step.precondition, declared)
    checkStepInputs(`${place}.inputs`, String(step.action), step.inputs, i === mainSteps.length - 1)
    checkReferences(`${place}.inputs`, step.inputs, declared)
    checkReferences(`${place}.settings`, step.settings, declared)
  })
}

function checkAction(place: string, action: unknown): void {
  if (typeof action === 'string' && actionNames.includes(action)) return
  throw invalid(
    `${place}: ${JSON.stringify(action)} is not an action of command documents. They are ${actionNames.join(', ')}.`,
  )
}

function checkName(place: string, name: unknown): string {
  if (typeof name === 'string' && STEP_NAME.test(name)) return name
  throw invalid(
    `${place} must be 1 to 128 letters, digits, hyphens or underscores, not ${JSON.stringify(name)}.`,
  )
}
