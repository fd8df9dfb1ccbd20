import { checkBoundaries } from './boundaries.ts'
import { checkCycles } from './cycles.ts'
import type { Finding } from './finding.ts'
import { parseSource, type Source, type SourceText } from './source.ts'

export const MAXIMUM_LINES = 400
/** The reason for a long file stands within its first lines. */
const HEAD_LINES = 30
const REASON = /^(\/\/| \*) Long because /
const VAGUE_NAME = /^(utils?|helpers?|common)$/
const IMPORTABLE = /\.(tsx?|json|css|svg|html)$/
/** Nothing that these two make up has to be hard to guess. */
const MAY_USE_CHANCE = ['bench', 'e2e']

/** Every rule over the given files, in the order of file and line. */
export function checkSources(texts: readonly SourceText[]): Finding[] {
  const sources = texts.map(parseSource)
  const findings = [
    ...sources.flatMap(source => [
      ...checkFile(source),
      ...checkSpecifiers(source),
      ...checkBoundaries(source),
    ]),
    ...checkCycles(sources),
  ]
  return findings.sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1))
}

function checkFile(source: Source): Finding[] {
  const findings: Finding[] = []
  const found = (line: number, rule: string, message: string) =>
    findings.push({ file: source.path, line, rule, message })

  for (const line of source.defaultExports) found(line, 'named-exports', 'export it by name, not as default')
  for (const line of source.enums) found(line, 'no-enum', 'use a union of literals or a const object')
  if (!source.isTest && !MAY_USE_CHANCE.includes(source.root)) {
    for (const line of source.randoms) {
      found(line, 'no-math-random', 'Math.random() is guessable: take random bytes from Crypto')
    }
  }
  const vague = source.path.split('/').find(part => VAGUE_NAME.test(part.replace(/\..*$/, '')))
  if (vague !== undefined) found(1, 'no-vague-name', `"${vague}" says nothing: name it after what it holds`)
  if (source.lines.length > MAXIMUM_LINES && !source.lines.slice(0, HEAD_LINES).some(l => REASON.test(l))) {
    const length = `${source.lines.length} lines, the limit is ${MAXIMUM_LINES}`
    found(
      MAXIMUM_LINES + 1,
      'file-length',
      `${length}: split it, or give the reason as "// Long because …" at its head`,
    )
  }
  return findings
}

function checkSpecifiers(source: Source): Finding[] {
  return source.imports.flatMap(({ specifier, line }) => {
    const finding = { file: source.path, line }
    if (specifier.startsWith('../../../')) {
      const message = `"${specifier}" climbs more than two levels: import it by package name, or move one of the two`
      return [{ ...finding, rule: 'no-climbing', message }]
    }
    if (specifier.startsWith('.') && !IMPORTABLE.test(specifier)) {
      return [
        {
          ...finding,
          rule: 'explicit-extension',
          message: `"${specifier}" lacks its extension, such as .ts`,
        },
      ]
    }
    return []
  })
}
