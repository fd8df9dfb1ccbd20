import { STEP_SECONDS } from './command-document.ts'
import {
  checkObject,
  checkSpelling,
  checkString,
  invalid,
  isObject,
  isStrings,
  isTemplate,
} from './content.ts'

// What the actions of a command document have to be told (control-plane.md 12.2, 12.5). What a parameter says is known
// when the document is run.

type Inputs = Readonly<Record<string, unknown>>

const SCRIPT_KEYS = ['runCommand', 'workingDirectory', 'environment', 'id']
const CONTROL_KEYS = ['timeoutSeconds', 'onFailure', 'onSuccess', 'finallyStep']
const DOCUMENT_KEYS = ['documentType', 'documentPath', 'documentParameters']
const DOWNLOAD_KEYS = ['sourceType', 'sourceInfo', 'destinationPath']
const PACKAGE_KEYS = ['action', 'installationType', 'name', 'version', 'repository', 'additionalArguments']
const AGENT_KEYS = ['agentName', 'source', 'allowDowngrade', 'targetVersion']

const checks: ReadonlyMap<string, (place: string, inputs: Inputs) => void> = new Map([
  ['aws:runShellScript', checkScript],
  ['aws:runPowerShellScript', checkScript],
  ['aws:runDocument', checkRunDocument],
  ['aws:downloadContent', checkDownload],
  ['aws:configurePackage', checkPackage],
  ['aws:updateSsmAgent', checkAgentUpdate],
])

/** `last`: whether no step comes after it. In schema 1.x there are no steps to lead to. */
export function checkStepInputs(place: string, action: string, inputs: unknown, last = true): void {
  const given = inputs ?? {}
  if (!isObject(given)) throw invalid(`${place} must be an object.`)
  checkSpelling(`${place}.`, given, CONTROL_KEYS)
  checkTimeout(`${place}.timeoutSeconds`, given.timeoutSeconds)
  checkWord(`${place}.onFailure`, given.onFailure, ['exit', 'successAndExit'])
  checkWord(`${place}.onSuccess`, given.onSuccess, ['exit'])
  checkFinally(`${place}.finallyStep`, given.finallyStep, last)
  checks.get(action)?.(place, given)
}

/** With any other an agent takes an hour without a word. */
function checkTimeout(place: string, timeout: unknown): void {
  if (timeout === undefined || timeout === '' || (typeof timeout === 'string' && timeout.includes('{{')))
    return
  const { least, most } = STEP_SECONDS
  const seconds = typeof timeout === 'string' && timeout.trim() !== '' ? Number(timeout) : timeout
  if (typeof seconds === 'number' && seconds >= least && seconds <= most) return
  throw invalid(
    `${place} must be seconds from ${least} to ${most}, or a parameter such as "{{ executionTimeout }}", not ${JSON.stringify(timeout)}.`,
  )
}

function checkWord(place: string, given: unknown, words: readonly string[]): void {
  if (given === undefined || isOneOf(given, words)) return
  throw invalid(`${place} must be ${words.join(' or ')}, not ${JSON.stringify(given)}.`)
}

function isOneOf(given: unknown, words: readonly string[]): boolean {
  return typeof given === 'string' && (words.includes(given) || isTemplate(given))
}

function checkFinally(place: string, given: unknown, last: boolean): void {
  if (given === undefined) return
  if (typeof given !== 'boolean' && !isOneOf(given, ['true', 'false'])) {
    throw invalid(`${place} must be true or false.`)
  }
  if (!last && String(given) === 'true') throw invalid(`${place} can be true only in the last step.`)
}

function checkScript(place: string, inputs: Inputs): void {
  checkSpelling(`${place}.`, inputs, SCRIPT_KEYS)
  const { runCommand, workingDirectory, environment } = inputs
  const lines = typeof runCommand === 'string' ? [runCommand] : runCommand
  if (!isStrings(lines) || lines.length === 0) {
    throw invalid(
      `${place}.runCommand must be a list of at least one string, or a parameter such as "{{ commands }}".`,
    )
  }
  checkString(`${place}.workingDirectory`, workingDirectory)
  if (typeof environment === 'string' && isTemplate(environment)) return
  checkObject(`${place}.environment`, environment)
  for (const [name, value] of Object.entries(environment ?? {})) {
    checkString(`${place}.environment.${name}`, value)
  }
}

function checkRunDocument(place: string, inputs: Inputs): void {
  checkSpelling(`${place}.`, inputs, DOCUMENT_KEYS)
  const { documentType, documentPath, documentParameters } = inputs
  if (!isOneOf(documentType, ['SSMDocument', 'LocalPath'])) {
    throw invalid(
      `${place}.documentType must be SSMDocument or LocalPath, not ${JSON.stringify(documentType)}.`,
    )
  }
  checkNotEmpty(`${place}.documentPath`, documentPath)
  if (typeof documentParameters !== 'string') checkObject(`${place}.documentParameters`, documentParameters)
}

function checkDownload(place: string, inputs: Inputs): void {
  checkSpelling(`${place}.`, inputs, DOWNLOAD_KEYS)
  const { sourceType, sourceInfo, destinationPath } = inputs
  const types = ['GitHub', 'Git', 'HTTP', 'S3', 'SSMDocument']
  if (!isOneOf(sourceType, types)) {
    throw invalid(
      `${place}.sourceType must be one of ${types.join(', ')}, not ${JSON.stringify(sourceType)}.`,
    )
  }
  if (typeof sourceInfo !== 'string' && !isObject(sourceInfo)) {
    throw invalid(`${place}.sourceInfo must be a JSON object, or a string that holds one.`)
  }
  checkString(`${place}.destinationPath`, destinationPath)
}

function checkPackage(place: string, inputs: Inputs): void {
  checkSpelling(`${place}.`, inputs, PACKAGE_KEYS)
  if (!isOneOf(inputs.action, ['Install', 'Uninstall'])) {
    throw invalid(`${place}.action must be Install or Uninstall, not ${JSON.stringify(inputs.action)}.`)
  }
  checkNotEmpty(`${place}.name`, inputs.name)
}

function checkAgentUpdate(place: string, inputs: Inputs): void {
  checkSpelling(`${place}.`, inputs, AGENT_KEYS)
  for (const key of ['agentName', 'source', 'targetVersion']) checkString(`${place}.${key}`, inputs[key])
}

function checkNotEmpty(place: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw invalid(`${place} must be a string that is not empty.`)
}
