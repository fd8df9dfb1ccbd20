import { isAlias, isMap, isScalar, Lexer, LineCounter, Parser, parseDocument, stringify, visit } from 'yaml'
import type { Json } from '../store/schema.ts'
import { invalid } from './content.ts'

// YAML 1.2 with its core schema: no dates, no merge keys, and `yes` is a word.

/** Each may stand for a large part of the document, and that again for others. */
const MAXIMUM_ALIASES = 50
/** Collections that are open at a time, more than documents may have. */
const MAXIMUM_OPEN = 100

/**
 * What a document in YAML says, as JSON. Throws `InvalidDocumentContent` with the line of what is no YAML or has no
 * meaning in JSON.
 */
export function parseYaml(text: string): Json {
  checkDepth(text)
  const lines = new LineCounter()
  const document = parseDocument(text, {
    schema: 'core',
    version: '1.2',
    lineCounter: lines,
    prettyErrors: false,
    // The library compares each key with all before it. Ours below are looked up.
    uniqueKeys: false,
    // With `silent` a second document would be dropped without a word.
    logLevel: 'error',
  })
  const where = (offset: number | undefined) => {
    const { line, col } = lines.linePos(offset ?? 0)
    return `line ${line}, column ${col}`
  }
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined)
    throw invalid(`it is not valid YAML: ${problem.message} (${where(problem.pos[0])})`)
  checkPlain(document, where)
  return document.toJS({ maxAliasCount: MAXIMUM_ALIASES }) as Json
}

/**
 * Before anything calls itself for each level, as most of the library does: where it needs a regular expression shortly
 * before the end of the stack, V8 does not throw but ends the process ("RegExpCompiler Allocation failed").
 */
function checkDepth(text: string): void {
  const parser = new Parser()
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > MAXIMUM_OPEN) throw invalid('it is nested too deep.')
  }
}

function checkPlain(document: ReturnType<typeof parseDocument>, where: (offset?: number) => string): void {
  let aliases = 0
  visit(document, {
    Node(_, node) {
      if (isAlias(node) && ++aliases > MAXIMUM_ALIASES) {
        throw invalid(`it has more than ${MAXIMUM_ALIASES} aliases (${where(node.range?.[0])}).`)
      }
      if (isScalar(node) && !isJsonScalar(node.value)) {
        throw invalid(`${node.source ?? 'a value'} has no meaning in JSON (${where(node.range?.[0])}).`)
      }
      if (isMap(node))
        checkKeys(
          node.items.map(pair => pair.key),
          where,
        )
    },
  })
}

function checkKeys(keys: readonly unknown[], where: (offset?: number) => string): void {
  const seen = new Set<string>()
  for (const key of keys) {
    const place = where(isScalar(key) ? key.range?.[0] : undefined)
    if (!isScalar(key) || typeof key.value !== 'string') {
      throw invalid(`a key is not a string: put it in quotation marks (${place}).`)
    }
    if (seen.has(key.value)) throw invalid(`the key ${JSON.stringify(key.value)} is there twice (${place}).`)
    seen.add(key.value)
  }
}

function isJsonScalar(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  return value === null || typeof value === 'string' || typeof value === 'boolean'
}

/** The same in YAML; parseYaml gives it back. */
export function toYaml(value: Json): string {
  return stringify(value, { schema: 'core', version: '1.2', lineWidth: 0, aliasDuplicateObjects: false })
}
