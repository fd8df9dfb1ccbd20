import type { Finding } from './finding.ts'
import type { Source } from './source.ts'

/** One finding for each import that closes a circle of files; imports of types count, they tie files too. */
export function checkCycles(sources: readonly Source[]): Finding[] {
  const byPath = new Map(sources.map(source => [source.path, source]))
  const done = new Set<string>()
  const trail: string[] = []
  const findings: Finding[] = []

  const visit = (source: Source): void => {
    trail.push(source.path)
    for (const { target, line } of source.imports) {
      const next = target === undefined ? undefined : byPath.get(target)
      if (next === undefined || done.has(next.path)) continue
      const start = trail.indexOf(next.path)
      if (start < 0) {
        visit(next)
        continue
      }
      const circle = [...trail.slice(start), next.path].join(' → ')
      findings.push({ file: source.path, line, rule: 'no-cycle', message: circle })
    }
    trail.pop()
    done.add(source.path)
  }

  for (const source of sources) if (!done.has(source.path)) visit(source)
  return findings
}
