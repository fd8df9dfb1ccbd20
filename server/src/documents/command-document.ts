import { AwsError } from '@sallyport/protocol/aws/error'
import type { Documents, VersionSelector } from '../store/documents.ts'
import type { Json, Scope } from '../store/schema.ts'
import type { CommandDocument, Platform } from './command-schema.ts'
import { isObject } from './content.ts'
import { readContent } from './content-format.ts'
import { contentHash, contentSha1 } from './content-hash.ts'
import { amazonContent, amazonDocument, documentName } from './document-name.ts'
import { platformsOf } from './platforms.ts'

export type { CommandDocument } from './command-schema.ts'

export type ResolvedCommandDocument = {
  name: string
  version: string
  /** Of the content as it was written, in hex. */
  hash: string
  sha1: string
  content: CommandDocument
  platforms: Platform[]
}

/** What agents take for a step that says nothing, or nothing that they understand (control-plane.md 12.5). */
const DEFAULT_SECONDS = 3_600
export const STEP_SECONDS = { least: 5, most: 172_800 }

/**
 * The document that a command runs by. `version` is a number, `$DEFAULT` or `$LATEST`, and the default one if there is
 * none. The content is shared and frozen. Throws `InvalidDocument` if there is none of that name or it is no command
 * document, `InvalidDocumentVersion` if it has no such version.
 */
export async function resolveCommandDocument(
  documents: Documents,
  scope: Scope,
  nameOrArn: string,
  version: string | undefined,
): Promise<ResolvedCommandDocument> {
  const name = documentName(nameOrArn, scope)
  if (name === undefined) {
    throw new AwsError('InvalidDocument', `There is no document ${nameOrArn} in this account.`)
  }
  const selector = versionSelector(version)
  const amazon = amazonDocument(name)
  if (amazon !== undefined) {
    if (amazon.type !== 'Command') throw notOfCommands(name, amazon.type)
    if (typeof selector === 'number' && selector !== 1) throw noVersion(name, version)
    return resolved(name, '1', amazonContent(amazon), amazon.content)
  }
  const stored = await documents.get(scope, name, selector)
  if (stored === undefined) {
    if ((await documents.get(scope, name)) !== undefined) throw noVersion(name, version)
    throw new AwsError('InvalidDocument', `There is no document named ${name}.`)
  }
  if (stored.documentType !== 'Command') throw notOfCommands(name, stored.documentType)
  const content = readContent(stored.documentFormat, stored.content) as CommandDocument
  return resolved(name, String(stored.version), stored.content, content)
}

function resolved(
  name: string,
  version: string,
  text: string,
  content: CommandDocument,
): ResolvedCommandDocument {
  return {
    name,
    version,
    hash: contentHash(text),
    sha1: contentSha1(text),
    content,
    platforms: platformsOf(content),
  }
}

/** Which version a request means; undefined means the default one. */
export function versionSelector(version: string | undefined): VersionSelector {
  if (version === undefined || version === '$DEFAULT') return '$DEFAULT'
  return version === '$LATEST' ? '$LATEST' : Number(version)
}

function notOfCommands(name: string, type: string): AwsError {
  return new AwsError(
    'InvalidDocument',
    `Document ${name} is of type ${type}; a command needs one of type Command.`,
  )
}

function noVersion(name: string, version: string | undefined): AwsError {
  return new AwsError('InvalidDocumentVersion', `Document ${name} has no version ${version}.`)
}

/** By which names nodes tell of the steps: of plugins in schema 1.x, of steps in 2.x. */
export function stepNames({ mainSteps, runtimeConfig }: CommandDocument): string[] {
  return mainSteps?.map(step => step.name) ?? Object.keys(runtimeConfig ?? {})
}

/** The longest that a node may take over all steps (milliseconds). `bound` is of bindParameters. */
export function executionTimeoutMs(
  content: CommandDocument,
  bound: Readonly<Record<string, unknown>>,
): number {
  const seconds = allInputs(content).map(inputs => secondsOf(inputs.timeoutSeconds, bound))
  return seconds.reduce((sum, each) => sum + each, 0) * 1000
}

/** In schema 1.x each element of a plugin's list is run for itself. */
function allInputs({ mainSteps, runtimeConfig }: CommandDocument): Array<Record<string, Json>> {
  if (mainSteps !== undefined) return mainSteps.map(step => step.inputs ?? {})
  return Object.values(runtimeConfig ?? {}).flatMap(({ properties }) =>
    (Array.isArray(properties) ? properties : [properties]).map(
      each => (isObject(each) ? each : {}) as Record<string, Json>,
    ),
  )
}

function secondsOf(given: Json | undefined, bound: Readonly<Record<string, unknown>>): number {
  const [, name = ''] = typeof given === 'string' ? (WHOLE_REFERENCE.exec(given) ?? []) : []
  const value = name !== '' && Object.hasOwn(bound, name) ? bound[name] : given
  const seconds = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof seconds !== 'number') return DEFAULT_SECONDS
  return seconds >= STEP_SECONDS.least && seconds <= STEP_SECONDS.most ? seconds : DEFAULT_SECONDS
}

const WHOLE_REFERENCE = /^\s*\{\{\s*([a-zA-Z0-9]+)\s*\}\}\s*$/
