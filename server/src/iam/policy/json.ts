import { PolicyFault, quoted } from './malformed.ts'

type Span = { readonly start: number; readonly end: number }

/** JSON (RFC 8259) that knows where everything stands. Numbers are kept as they were written. */
export type JsonNode = Span &
  (
    | { readonly kind: 'string' | 'number'; readonly text: string }
    | { readonly kind: 'boolean'; readonly text: 'true' | 'false' }
    | { readonly kind: 'null' }
    | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
    | { readonly kind: 'object'; readonly members: ReadonlyMap<string, JsonMember> }
  )

/** A Map and not an object's own properties: `__proto__` is a name like any other. */
export type JsonMember = { readonly keyStart: number; readonly value: JsonNode }

/** A policy needs seven: document, statements, statement, conditions, operator, key, values. */
const MAX_DEPTH = 12

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const PLAIN = /[^"\\\u0000-\u001f]+/y
const HEX = /[0-9a-fA-F]{4}/y
const SPACE = /[ \t\r\n]*/y
const ESCAPES: ReadonlyMap<string, string> = new Map(
  Object.entries({ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }),
)

/** Reads a whole text. Throws PolicyFault; duplicate keys and deep nesting are faults too. */
export function readJson(text: string): JsonNode {
  const reader = new JsonReader(text)
  const node = reader.value(1)
  reader.end()
  return node
}

class JsonReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(depth: number): JsonNode {
    this.#space()
    if (depth > MAX_DEPTH) throw this.#fault(`nested deeper than ${MAX_DEPTH} levels`)
    const start = this.#at
    switch (this.#text[start]) {
      case '{':
        return { kind: 'object', members: this.#object(depth), start, end: this.#at }
      case '[':
        return { kind: 'array', items: this.#array(depth), start, end: this.#at }
      case '"':
        return { kind: 'string', text: this.#string(), start, end: this.#at }
      default:
        return this.#word(start)
    }
  }

  end() {
    this.#space()
    if (this.#at < this.#text.length) throw this.#unexpected('the end of the policy')
  }

  #word(start: number): JsonNode {
    for (const text of ['true', 'false'] as const) {
      if (this.#skip(text)) return { kind: 'boolean', text, start, end: this.#at }
    }
    if (this.#skip('null')) return { kind: 'null', start, end: this.#at }
    const text = this.#match(NUMBER)
    if (text === '') throw this.#unexpected('a JSON value')
    return { kind: 'number', text, start, end: this.#at }
  }

  #object(depth: number): Map<string, JsonMember> {
    const members = new Map<string, JsonMember>()
    this.#skip('{')
    this.#space()
    if (this.#skip('}')) return members
    do {
      this.#space()
      const keyStart = this.#at
      if (this.#text[keyStart] !== '"') throw this.#unexpected('a name in double quotes')
      const key = this.#string()
      if (members.has(key)) throw new PolicyFault(keyStart, `${quoted(key)} is there twice`)
      this.#space()
      if (!this.#skip(':')) throw this.#unexpected("':'")
      members.set(key, { keyStart, value: this.value(depth + 1) })
      this.#space()
    } while (this.#skip(','))
    if (!this.#skip('}')) throw this.#unexpected("',' or '}'")
    return members
  }

  #array(depth: number): JsonNode[] {
    const items: JsonNode[] = []
    this.#skip('[')
    this.#space()
    if (this.#skip(']')) return items
    do {
      items.push(this.value(depth + 1))
      this.#space()
    } while (this.#skip(','))
    if (!this.#skip(']')) throw this.#unexpected("',' or ']'")
    return items
  }

  #string(): string {
    const start = this.#at
    const parts: string[] = []
    this.#skip('"')
    while (!this.#skip('"')) {
      const plain = this.#match(PLAIN)
      if (plain !== '') parts.push(plain)
      else if (this.#skip('\\')) parts.push(this.#escape())
      else if (this.#at >= this.#text.length) throw new PolicyFault(start, 'this text has no closing quote')
      else throw this.#fault('line breaks and other control characters must be escaped in texts')
    }
    return parts.join('')
  }

  #escape(): string {
    const letter = this.#text[this.#at++] ?? ''
    const simple = ESCAPES.get(letter)
    if (simple !== undefined) return simple
    const hex = letter === 'u' ? this.#match(HEX) : ''
    if (hex === '') throw new PolicyFault(this.#at - 2, `there is no escape \\${letter} in JSON`)
    return String.fromCharCode(Number.parseInt(hex, 16))
  }

  #space() {
    this.#match(SPACE)
  }

  #skip(word: string): boolean {
    const there = this.#text.startsWith(word, this.#at)
    if (there) this.#at += word.length
    return there
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    return found
  }

  #unexpected(expected: string): PolicyFault {
    const found = this.#text[this.#at]
    return this.#fault(
      `expected ${expected}, found ${found === undefined ? 'the end of the text' : quoted(found)}`,
    )
  }

  #fault(message: string): PolicyFault {
    return new PolicyFault(this.#at, message)
  }
}
