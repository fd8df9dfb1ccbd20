import { compileResourcePattern, splitTemplate } from './arn-pattern.ts'
import { BadValue, quoted } from './malformed.ts'
import { compilePattern } from './pattern.ts'
import type { ActionPattern, ResourcePattern } from './policy.ts'
import { ANY, readTemplate, type Template, type Variable, variablesOf } from './template.ts'

const VENDOR = /^[a-z0-9-]+$/
const ACTION_NAME = /^[a-z0-9_*?-]+$/
/** In which no variable and no wildcard can stand: "the service segment". */
const SERVICE_SEGMENT = /^[a-z0-9-]+$/
const SEGMENTS = 6
const LONGEST = 2048
const EMPTY = new Map<string, readonly string[]>()

/** `*`, or `vendor:Name` with wildcards in the name. Case does not matter. Throws BadValue. */
export function readActionPattern(text: string): ActionPattern {
  if (text === '*' || text === '*:*') return { service: '*', matches: () => true }
  const lower = text.toLowerCase()
  const colon = lower.indexOf(':')
  const service = lower.slice(0, colon)
  const name = lower.slice(colon + 1)
  if (colon === -1) throw new BadValue('actions must be prefaced by a vendor, vendor:Name')
  if (!VENDOR.test(service)) {
    throw new BadValue(
      `${quoted(text.slice(0, colon))} cannot be a vendor; wildcards may stand behind the colon`,
    )
  }
  if (!ACTION_NAME.test(name)) {
    throw new BadValue('expected letters, digits, * and ? behind the colon')
  }
  const matches = compilePattern(readTemplate(name, { wildcards: true, variables: false }))
  return { service, matches: candidate => matches(candidate, EMPTY) }
}

/** `*` or the pattern of an ARN. Throws BadValue. */
export function readResourcePattern(
  text: string,
  variables: boolean,
): { pattern: ResourcePattern; variables: readonly Variable[] } {
  if (text.length > LONGEST) throw new BadValue(`longer than ${LONGEST} characters`)
  const template = readTemplate(text, { wildcards: true, variables })
  if (text !== '*') checkArnPattern(template)
  return { pattern: compileResourcePattern(template), variables: variablesOf(template) }
}

function checkArnPattern(template: Template) {
  const segments = splitTemplate(template)
  const [arn = [], partition = [], service = []] = segments
  if (arn.length !== 1 || arn[0] !== 'arn') {
    throw new BadValue('must be in ARN format or "*"')
  }
  const [vendor = ''] = service
  if (service.length > 1 || typeof vendor !== 'string' || (vendor !== '' && !SERVICE_SEGMENT.test(vendor))) {
    throw new BadValue('the vendor must be fully qualified and cannot contain wildcards')
  }
  const complete = segments.length === SEGMENTS ? segments.at(-1)?.length !== 0 : template.at(-1) === ANY
  if (partition.length === 0 || vendor === '' || !complete) {
    throw new BadValue('expected arn:partition:service:region:account-id:resource')
  }
}
