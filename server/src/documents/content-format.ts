import { AwsError } from '@sallyport/protocol/aws/error'
import type { Json } from '../store/schema.ts'
import { invalid, isObject, isTooDeep } from './content.ts'
import { parseYaml, toYaml } from './yaml-content.ts'

/** control-plane.md 22 */
export const MAXIMUM_DOCUMENT_SIZE = 64 * 1024
/** What aliases in YAML stand for counts, too: nodes get JSON. */
const MAXIMUM_JSON_SIZE = 4 * MAXIMUM_DOCUMENT_SIZE
/** Characters of content whose meaning is kept. */
const MAXIMUM_CACHED = 4 * 1024 * 1024

export type JsonObject = { [name: string]: Json }

/** Throws `MaxDocumentSizeExceeded`. */
export function checkSize(content: string): void {
  if (Buffer.byteLength(content) <= MAXIMUM_DOCUMENT_SIZE) return
  throw new AwsError('MaxDocumentSizeExceeded', `A document has at most ${MAXIMUM_DOCUMENT_SIZE / 1024} KB.`)
}

/**
 * The object that a document is, from its content in `JSON`, `YAML` or `TEXT`, which may be either. It is shared and
 * frozen. Throws `InvalidDocumentContent` or `MaxDocumentSizeExceeded`.
 */
export function readContent(format: string, content: string): JsonObject {
  const key = `${format === 'TEXT' ? textFormat(content) : format} ${content}`
  const known = cache.get(key)
  if (known !== undefined) return known
  const document = parse(format, content)
  keep(key, document)
  return document
}

/** The content of a document in another format; in its own as it was written, with its comments. */
export function convertContent(from: string, content: string, to: string): string {
  if (to === from || to === 'TEXT' || (from === 'TEXT' && to === textFormat(content))) return content
  const document = readContent(from, content)
  return to === 'YAML' ? toYaml(document) : JSON.stringify(document, null, 2)
}

function textFormat(content: string): 'JSON' | 'YAML' {
  return content.trimStart().startsWith('{') ? 'JSON' : 'YAML'
}

function parse(format: string, content: string): JsonObject {
  const known = format === 'TEXT' ? textFormat(content) : format
  // The database takes it for the end of the text.
  if (content.includes('\0')) throw invalid('it has a zero byte.')
  const document = known === 'YAML' ? withoutOverflow(() => parseYaml(content)) : parseJson(content)
  if (!isObject(document))
    throw invalid(`it is not ${known === 'YAML' ? 'a YAML mapping' : 'a JSON object'}.`)
  if (isTooDeep(document)) throw invalid('it is nested too deep.')
  if (known === 'YAML' && JSON.stringify(document).length > MAXIMUM_JSON_SIZE) {
    throw new AwsError(
      'MaxDocumentSizeExceeded',
      `As JSON, in which nodes get it, a document has at most ${MAXIMUM_JSON_SIZE / 1024} KB.`,
    )
  }
  freeze(document)
  return document as JsonObject
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch (error) {
    throw invalid(`it is not valid JSON: ${(error as Error).message}`)
  }
}

/** The library throws plain errors for aliases that stand for too much, and for what is too deep. */
function withoutOverflow<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof AwsError) throw error
    throw invalid(`it is not valid YAML: ${(error as Error).message}`)
  }
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  Object.freeze(value)
  for (const each of Object.values(value)) freeze(each)
}

/** Oldest use first. */
const cache = new Map<string, JsonObject>()
let cached = 0

function keep(key: string, document: JsonObject): void {
  cache.set(key, document)
  cached += key.length
  for (const oldest of cache.keys()) {
    if (cached <= MAXIMUM_CACHED) return
    cache.delete(oldest)
    cached -= oldest.length
  }
}
