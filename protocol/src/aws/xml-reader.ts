/** What a query service answered, as plain values: see `readXml`. */
export type XmlValue = string | XmlValue[] | { [name: string]: XmlValue }

/** Deeper than any answer; a document that is, is no answer. */
const MAX_DEPTH = 32
const MAX_LENGTH = 32 * 1024 * 1024

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** A tag, without what its attributes say, or the declaration at the beginning. */
const TAG = /<(\/?)([A-Za-z_][\w.:-]*)((?:\s+[A-Za-z_][\w.:-]*\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/y
const DECLARATION = /^\uFEFF?\s*(?:<\?xml[^>]*\?>)?\s*/

type Open = { name: string; children: Array<[name: string, value: XmlValue]>; text: string }

/**
 * Reads the XML in which the query services answer: elements and text, nothing else (no DTD, no comments, no CDATA).
 * An element that holds text is a string, one that holds `member` elements (or `entry` elements, of a map) is an array, any other is an object by the
 * names of its elements, the first of each name. An empty element is an empty string, an empty list therefore too.
 * Attributes are passed over. Answers the name and the value of the root. Throws an Error for everything else.
 */
export function readXml(text: string): { name: string; value: XmlValue } {
  if (text.length > MAX_LENGTH) throw new Error(`XML of ${text.length} characters is too long`)
  const open: Open[] = []
  let at = DECLARATION.exec(text)?.[0].length ?? 0
  for (;;) {
    TAG.lastIndex = at
    const tag = TAG.exec(text)
    if (tag === null) throw malformed(text, at)
    at = TAG.lastIndex
    const [, closing, name = '', attributes, empty] = tag
    if (closing === '') {
      if (open.length >= MAX_DEPTH) throw malformed(text, at, 'too deep')
      open.push({ name, children: [], text: '' })
    } else if (attributes !== '' || empty !== '' || open.at(-1)?.name !== name) {
      throw malformed(text, at, `</${name}> ends nothing`)
    }
    if (closing !== '' || empty !== '') {
      const ended = open.pop()
      if (ended === undefined) throw malformed(text, at)
      const value = contentOf(ended)
      const parent = open.at(-1)
      if (parent === undefined) {
        if (text.slice(at).trim() !== '') throw malformed(text, at, 'text after the root')
        return { name: ended.name, value }
      }
      parent.children.push([ended.name, value])
    }
    const next = text.indexOf('<', at)
    if (next < 0) throw malformed(text, at, 'it ends too early')
    const inner = open.at(-1)
    if (inner !== undefined) inner.text += unescapeXml(text.slice(at, next))
    at = next
  }
}

function contentOf({ children, text }: Open): XmlValue {
  if (children.length === 0) return text
  if (text.trim() !== '') throw new Error('an XML element holds both text and elements')
  if (isList(children)) return children.map(([, value]) => value)
  const object: { [name: string]: XmlValue } = Object.create(null)
  for (const [name, value] of children) if (!(name in object)) object[name] = value
  return object
}

function isList(children: Open['children']): boolean {
  const [[first] = ['']] = children
  return (first === 'member' || first === 'entry') && children.every(([name]) => name === first)
}

function unescapeXml(text: string): string {
  return text.replace(/&([^;&]{0,10});?/g, (whole, entity: string) => {
    const known = Object.hasOwn(ENTITIES, entity) ? ENTITIES[entity] : undefined
    if (known !== undefined && whole.endsWith(';')) return known
    const [, hex, decimal] = /^#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}))$/.exec(entity) ?? []
    const code = hex === undefined ? Number(decimal ?? Number.NaN) : Number.parseInt(hex, 16)
    if (whole.endsWith(';') && code <= 0x10ffff) return String.fromCodePoint(code)
    throw new Error(`${JSON.stringify(whole)} is no entity of XML`)
  })
}

function malformed(text: string, at: number, reason = 'neither text nor an element'): Error {
  const around = JSON.stringify(text.slice(at, at + 40))
  return new Error(`malformed XML at character ${at} (${around}): ${reason}`)
}
