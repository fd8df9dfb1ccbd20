import type { AwsError } from './error.ts'
import type { Encoded } from './json.ts'

export type XmlOptions = {
  readonly xmlns?: string
  /** Whether to begin with `<?xml …?>`. */
  readonly declaration?: boolean
  /** The element that each entry of a list becomes: `member` in query services (the default), `item` in EC2. */
  readonly listItem?: 'member' | 'item'
}

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
const encoder = new TextEncoder()

/**
 * Writes plain objects, arrays, Maps (as `entry` elements), strings, numbers, booleans and Dates (ISO 8601) as XML.
 * Undefined and null are left out, and so are characters that XML 1.0 cannot carry.
 */
export function xmlDocument(rootName: string, value: unknown, options: XmlOptions = {}): string {
  const namespace = options.xmlns === undefined ? '' : ` xmlns="${escapeText(options.xmlns)}"`
  const name = checkedName(rootName)
  const content = writeContent(value, options.listItem ?? 'member')
  return `${options.declaration ? DECLARATION : ''}<${name}${namespace}>${content}</${name}>`
}

/**
 * The error form of the message gateway (control-plane.md 11.1, 18.1). Agents search the body for the literal
 * `<AccessDeniedException>`, so the code is the root element and the root has no attribute.
 */
export function encodeXmlError(error: AwsError, requestId: string): Encoded {
  return {
    status: error.status,
    headers: {
      'content-type': 'application/xml',
      'x-amzn-errortype': error.code,
      'x-amzn-requestid': requestId,
    },
    body: encoder.encode(xmlDocument(error.code, { Message: error.message })),
  }
}

function writeContent(value: unknown, listItem: string): string {
  if (value === undefined || value === null) return ''
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z')
  if (Array.isArray(value)) return value.map(each => writeElement(listItem, each, listItem)).join('')
  if (value instanceof Map) {
    const entries = [...value].map(([key, each]) => writeElement('entry', { key, value: each }, listItem))
    return entries.join('')
  }
  if (typeof value === 'object') {
    return Object.entries(value)
      .map(([name, each]) => writeElement(name, each, listItem))
      .join('')
  }
  return escapeText(String(value))
}

function writeElement(name: string, value: unknown, listItem: string): string {
  if (value === undefined || value === null) return ''
  return `<${checkedName(name)}>${writeContent(value, listItem)}</${name}>`
}

// Names come from our own tables. One that came from a caller would be an injection, hence the check.
function checkedName(name: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name)) return name
  throw new Error(`${JSON.stringify(name.slice(0, 100))} cannot be the name of an XML element`)
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  // A parser would turn a bare carriage return into a line feed (XML 1.0 2.11).
  '\r': '&#xD;',
}

/** Keeps only the characters of XML 1.0 2.2. */
function escapeText(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '')
    .replace(/[&<>"'\r]/g, char => ESCAPES[char] ?? '')
}
