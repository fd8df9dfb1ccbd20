import type { ContextValues } from './context-values.ts'
import { codesOf, compilePattern, isAnything } from './pattern.ts'
import { ANY, type Template } from './template.ts'

/** arn, partition, service, region, account id, and the resource with all further colons. */
export type ArnSegments = readonly string[]

const SEGMENTS = 6
const REGION = 3
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
 * (IAM user guide, "Using wildcards in resource ARNs"). Here that
 * holds from the region on: what names the service is never taken for something else.
 */
export function compileResourcePattern(
  template: Template,
): (resource: string, segments: ArnSegments | undefined, context: ContextValues) => boolean {
  if (isAnything(template)) return () => true
  const strict = compileArnPattern(template)
  const parts = splitTemplate(template)
  const expands = parts.slice(REGION, -1).some(part => part.at(-1) === ANY)
  return (resource, segments, context) => {
    if (segments === undefined) return false
    if (strict(segments, context)) return true
    if (!expands || (parts.length === SEGMENTS && !segments.at(-1)?.includes(':'))) return false
    return matchesExpanded(parts, resource, context)
  }
}

/** What each place of a pattern takes: a code, and whether a wildcard takes colons too. */
type Steps = { codes: Int32Array; colons: Uint8Array }

/**
 * All places of the pattern that can be reached, one character after the other: text × pattern steps, each so short
 * that whoever writes both has no way to hold up the server (security-cases.md 36).
 */
function matchesExpanded(segments: readonly Template[], text: string, context: ContextValues): boolean {
  const steps = stepsOf(segments, context)
  if (steps === undefined) return false
  const { codes, colons } = steps
  let reached = new Uint8Array(codes.length + 1)
  let following = new Uint8Array(codes.length + 1)
  reached[0] = 1
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    following.fill(0)
    for (let place = 0; place < codes.length; place++) {
      if (reached[place] === 0) continue
      const wanted = codes[place]
      // A star stands for nothing (more), or for this character too.
      if (wanted === ANY) reached[place + 1] = 1
      const takes =
        wanted === code || (wanted !== undefined && wanted < 0 && (code !== COLON || colons[place] === 1))
      if (takes) following[wanted === ANY ? place : place + 1] = 1
    }
    const spare = reached
    reached = following
    following = spare
  }
  return reached.includes(1, codes.findLastIndex(code => code !== ANY) + 1)
}

function stepsOf(segments: readonly Template[], context: ContextValues): Steps | undefined {
  const codes: number[] = []
  const colons: number[] = []
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1
    const own = codesOf(segment, context)
    if (own === undefined) return undefined
    if (!isLast && own.includes(COLON)) return undefined
    own.forEach((code, place) => {
      codes.push(code)
      const goesOn = index >= REGION && code === ANY && place === own.length - 1
      colons.push(isLast || goesOn ? 1 : 0)
    })
    if (isLast) continue
    codes.push(COLON)
    colons.push(1)
  }
  return { codes: Int32Array.from(codes), colons: Uint8Array.from(colons) }
}
