import type { ContextValues } from './context-values.ts'
import { codesOf, compilePattern, isAnything } from './pattern.ts'
import { ANY, ONE, type Template } from './template.ts'

/** arn, partition, service, region, account id, and the resource with all further colons. */
export type ArnSegments = readonly string[]

const SEGMENTS = 6
const COLON = 58

/** Undefined for what is no ARN. */
export function splitArn(text: string): ArnSegments | undefined {
  if (!text.startsWith('arn:')) return undefined
  const segments: string[] = []
  let start = 0
  while (segments.length < SEGMENTS - 1) {
    const colon = text.indexOf(':', start)
    if (colon === -1) return undefined
    segments.push(text.slice(start, colon))
    start = colon + 1
  }
  segments.push(text.slice(start))
  return segments
}

/** Cuts at the colons of the text itself, into at most six. What a variable will bring is not looked at. */
export function splitTemplate(template: Template): Template[] {
  const segments: Array<Array<Template[number]>> = [[]]
  for (const part of template) {
    if (typeof part !== 'string') {
      segments.at(-1)?.push(part)
      continue
    }
    const room = SEGMENTS - segments.length
    const pieces = part.split(':')
    const cut = [...pieces.slice(0, room), ...(pieces.length > room ? [pieces.slice(room).join(':')] : [])]
    cut.forEach((piece, index) => {
      if (index > 0) segments.push([])
      if (piece !== '') segments.at(-1)?.push(piece)
    })
  }
  return segments
}

/**
 * Segment by segment, as the Arn operators compare ("each of the six colon-delimited components of the ARN is checked
 * separately"). The last segment of a pattern is compared with all the rest, so `arn:aws:iam::*` and a variable that
 * holds a whole ARN mean what they say.
 */
export function compileArnPattern(
  template: Template,
): (segments: ArnSegments, context: ContextValues) => boolean {
  const parts = splitTemplate(template)
  const last = parts.length - 1
  // The resource first: it is what most ARNs differ in.
  const checks = parts
    .map((part, index) => ({ index, pattern: compilePattern(part), anything: isAnything(part) }))
    .filter(({ anything }) => !anything)
    .reverse()
  return (segments, context) => {
    for (const { index, pattern } of checks) {
      const isRest = index === last && last < SEGMENTS - 1
      const text = isRest ? segments.slice(index).join(':') : segments[index]
      if (text === undefined || !pattern(text, context)) return false
    }
    return true
  }
}

/**
 * The Resource element: as above, but a `*` at the end of a segment "can expand to match beyond the colon boundaries"
 * (IAM user guide, "Using wildcards in resource ARNs").
 */
export function compileResourcePattern(
  template: Template,
): (resource: string, segments: ArnSegments | undefined, context: ContextValues) => boolean {
  if (isAnything(template)) return () => true
  const strict = compileArnPattern(template)
  const parts = splitTemplate(template)
  const expands = parts.slice(0, -1).some(part => part.at(-1) === ANY)
  return (resource, segments, context) => {
    if (segments === undefined) return false
    if (strict(segments, context)) return true
    if (!expands || (parts.length === SEGMENTS && !segments.at(-1)?.includes(':'))) return false
    return matchesExpanded(parts, resource, context)
  }
}

/** What one code of a pattern takes; `colons` says whether a colon is among it. */
type Step = { code: number; colons: boolean }

/** All places of the pattern that can be reached, one character after the other: text × pattern steps. */
function matchesExpanded(segments: readonly Template[], text: string, context: ContextValues): boolean {
  const steps = stepsOf(segments, context)
  if (steps === undefined) return false
  let reached = new Set([0])
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const following = new Set<number>()
    for (const place of withoutStars(reached, steps)) {
      const step = steps[place]
      if (step === undefined) continue
      const wild = step.code === ANY || step.code === ONE
      if (wild ? code !== COLON || step.colons : code === step.code) {
        following.add(step.code === ANY ? place : place + 1)
      }
    }
    reached = following
  }
  return withoutStars(reached, steps).has(steps.length)
}

/** With the places that are reached where a `*` stands for nothing (more). */
function withoutStars(reached: ReadonlySet<number>, steps: readonly Step[]): Set<number> {
  const all = new Set(reached)
  for (const place of all) if (steps[place]?.code === ANY) all.add(place + 1)
  return all
}

function stepsOf(segments: readonly Template[], context: ContextValues): Step[] | undefined {
  const steps: Step[] = []
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1
    const codes = codesOf(segment, context)
    if (codes === undefined) return undefined
    if (!isLast && codes.includes(COLON)) return undefined
    codes.forEach((code, place) => {
      steps.push({ code, colons: isLast || (code === ANY && place === codes.length - 1) })
    })
    if (!isLast) steps.push({ code: COLON, colons: true })
  }
  return steps
}
