import { AwsError } from './error.ts'
import type { Encoded } from './json.ts'
import type { Shape, ShapeBody } from './shape-builders.ts'
import { xmlDocument } from './xml.ts'

const EC2_XMLNS = 'http://ec2.amazonaws.com/doc/2016-11-15/'
const MAX_PARAMETERS = 2000
const MAX_DEPTH = 12
const MAX_NAME_LENGTH = 512

type Tree = Map<string, Tree | string>

const encoder = new TextEncoder()

/**
 * Reads a form body or a query string of the Query and EC2 Query protocols. `Filter.1.Name` and
 * `Tags.member.1.Key` become lists (in the order of their numbers, gaps closed), `X.entry.1.key` a map; every leaf
 * is a string. Throws AwsError `MalformedQueryString`.
 */
export function decodeQuery(text: string): Record<string, unknown> {
  const root: Tree = new Map()
  const pieces = text.split('&', MAX_PARAMETERS + 1)
  if (pieces.length > MAX_PARAMETERS) throw malformed(`there are more than ${MAX_PARAMETERS} parameters`)
  for (const piece of pieces) {
    if (piece === '') continue
    const equals = piece.indexOf('=')
    const name = decode(equals < 0 ? piece : piece.slice(0, equals))
    insert(root, name, equals < 0 ? '' : decode(piece.slice(equals + 1)))
  }
  return toObject(root)
}

/** Turns strings into what the shape wants, as far as they can be; `checkInput` reports the rest. */
export function coerceQuery(shape: Shape<unknown>, value: unknown): unknown {
  return coerce(shape, value)
}

/** `<ActionResponse>` with `<ActionResult>`, which is left out when there is no output (control-plane.md 28). */
export function encodeQueryResponse(
  action: string,
  xmlns: string,
  output: unknown,
  requestId: string,
): Encoded {
  const result = output === undefined ? {} : { [`${action}Result`]: output }
  const value = { ...result, ResponseMetadata: { RequestId: requestId } }
  return encoded(200, requestId, xmlDocument(`${action}Response`, value, { xmlns }))
}

export function encodeQueryError(error: AwsError, xmlns: string, requestId: string): Encoded {
  const { fault, code, message } = error
  const value = { Error: { Type: fault, Code: code, Message: message }, RequestId: requestId }
  return encoded(error.status, requestId, xmlDocument('ErrorResponse', value, { xmlns }))
}

/** `output` in EC2's own element names; its lists become `<item>` elements. */
export function encodeEc2Response(action: string, output: object, requestId: string): Encoded {
  const options = { xmlns: EC2_XMLNS, declaration: true, listItem: 'item' } as const
  return encoded(200, requestId, xmlDocument(`${action}Response`, { requestId, ...output }, options))
}

export function encodeEc2Error(error: AwsError, requestId: string): Encoded {
  const value = { Errors: { Error: { Code: error.code, Message: error.message } }, RequestID: requestId }
  return encoded(error.status, requestId, xmlDocument('Response', value, { declaration: true }))
}

function encoded(status: number, requestId: string, text: string): Encoded {
  const headers = { 'content-type': 'text/xml;charset=UTF-8', 'x-amzn-requestid': requestId }
  return { status, headers, body: encoder.encode(text) }
}

function insert(root: Tree, name: string, value: string): void {
  if (name.length > MAX_NAME_LENGTH) throw malformed(`a name is longer than ${MAX_NAME_LENGTH} characters`)
  const parts = name.split('.')
  if (parts.length > MAX_DEPTH) throw malformed(`a name has more than ${MAX_DEPTH} parts`)
  const last = parts.pop() ?? ''
  let tree = root
  for (const part of parts) {
    const next = tree.get(part) ?? new Map()
    if (typeof next === 'string') throw malformed(`'${name}' and a part of it both have a value`)
    tree.set(part, next)
    tree = next
  }
  if (tree.has(last)) throw malformed(`'${name}' is given more than once`)
  tree.set(last, value)
}

function toObject(tree: Tree): Record<string, unknown> {
  const object: Record<string, unknown> = Object.create(null)
  for (const [name, node] of tree) object[name] = collapse(node)
  return object
}

function collapse(node: Tree | string): unknown {
  if (typeof node === 'string') return node
  const elements = numbered(node)
  if (elements !== undefined) return elements.map(collapse)
  if (node.size !== 1) return toObject(node)
  const members = children(node, 'member')
  if (members !== undefined) return members.map(collapse)
  const entries = children(node, 'entry')
  return entries === undefined ? toObject(node) : toMap(entries)
}

function children(node: Tree, name: string): Array<Tree | string> | undefined {
  const child = node.get(name)
  return child instanceof Map ? numbered(child) : undefined
}

/** The children in the order of their numbers, or undefined when one of them is not numbered. */
function numbered(tree: Tree): Array<Tree | string> | undefined {
  for (const name of tree.keys()) if (!/^[0-9]{1,9}$/.test(name)) return undefined
  return [...tree].sort(([a], [b]) => Number(a) - Number(b)).map(([, node]) => node)
}

function toMap(entries: ReadonlyArray<Tree | string>): Record<string, unknown> {
  const map: Record<string, unknown> = Object.create(null)
  for (const entry of entries) {
    const key = entry instanceof Map ? entry.get('key') : undefined
    if (!(entry instanceof Map) || typeof key !== 'string') throw malformed("an 'entry' has no 'key'")
    if (key in map) throw malformed('two entries of a map have the same key')
    map[key] = collapse(entry.get('value') ?? '')
  }
  return map
}

function coerce(shape: ShapeBody, value: unknown): unknown {
  if (typeof value === 'string') return coerceText(shape, value)
  if (shape.kind === 'list' && Array.isArray(value)) return value.map(each => coerce(shape.element, each))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const coerced: Record<string, unknown> = Object.create(null)
  for (const [name, each] of Object.entries(value)) {
    const member = memberShape(shape, name)
    coerced[name] = member === undefined ? each : coerce(member, each)
  }
  return coerced
}

function memberShape(shape: ShapeBody, name: string): ShapeBody | undefined {
  if (shape.kind === 'map') return shape.value
  return shape.kind === 'structure' && Object.hasOwn(shape.members, name) ? shape.members[name] : undefined
}

function coerceText(shape: ShapeBody, text: string): unknown {
  switch (shape.kind) {
    case 'integer':
      return /^-?[0-9]{1,10}$/.test(text) ? Number(text) : text
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text
    case 'timestamp':
      return seconds(text) ?? text
    case 'list':
      // `Tags=` is how SDKs write an empty list.
      return text === '' ? [] : text
    case 'map':
      return text === '' ? {} : text
    case 'string':
    case 'structure':
      return text
  }
}

/** ISO 8601 in UTC, as SDKs write it, or seconds since 1970. */
function seconds(text: string): number | undefined {
  if (/^[0-9]{1,12}(\.[0-9]{1,9})?$/.test(text)) return Number(text)
  if (
    !/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$/.test(
      text,
    )
  ) {
    return undefined
  }
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms / 1000
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch (cause) {
    throw malformed('it is not percent-encoded UTF-8', cause)
  }
}

function malformed(reason: string, cause?: unknown): AwsError {
  return new AwsError('MalformedQueryString', `the query cannot be read: ${reason}`, { cause })
}
