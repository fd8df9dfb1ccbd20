import type { Platform } from './command-schema.ts'
import { checkReferences, invalid, isObject, isStrings, isTemplate } from './content.ts'

const PLATFORM_TYPE = 'platformType'
const PLATFORMS: ReadonlyMap<string, Platform> = new Map([
  ['linux', 'Linux'],
  ['windows', 'Windows'],
  ['macos', 'MacOS'],
])

/** Agents compare platforms without regard to case. */
function platformNamed(name: string): Platform | undefined {
  return PLATFORMS.get(name.toLowerCase())
}

/** The only platform on which a step with this precondition runs; undefined if that does not depend on the platform. */
export function platformOfPrecondition(operands: readonly string[] | undefined): Platform | undefined {
  if (!operands?.includes(PLATFORM_TYPE)) return undefined
  const other = operands.find(operand => operand !== PLATFORM_TYPE)
  return other === undefined ? undefined : platformNamed(other)
}

/**
 * When a step of schema 2.2 runs (control-plane.md 12.4): one comparison of `platformType` or a parameter with a
 * literal. With any other an agent fails the step.
 */
export function checkPrecondition(
  place: string,
  schemaVersion: string,
  precondition: unknown,
  declared: ReadonlySet<string>,
): void {
  if (precondition === undefined) return
  if (schemaVersion !== '2.2') {
    throw invalid(`${place} needs schemaVersion 2.2; agents do not heed it in ${schemaVersion}.`)
  }
  if (!isObject(precondition)) throw invalid(`${place} must be an object.`)
  const [unknown] = Object.keys(precondition).filter(operator => operator !== 'StringEquals')
  if (unknown !== undefined)
    throw invalid(`${place}.${unknown} is no operator; the only one is StringEquals.`)
  const operands = precondition.StringEquals
  if (!isStrings(operands) || operands.length !== 2) {
    throw invalid(`${place}.StringEquals must be a list of two strings, such as ["platformType", "Linux"].`)
  }
  checkReferences(`${place}.StringEquals`, operands, declared)
  const literals = operands.filter(operand => operand !== PLATFORM_TYPE && !isTemplate(operand))
  const [literal] = literals
  if (literals.length !== 1 || literal === undefined) {
    throw invalid(
      `${place}.StringEquals must compare platformType or a parameter such as "{{ name }}" with a literal, not ${JSON.stringify(operands)}.`,
    )
  }
  if (operands.includes(PLATFORM_TYPE) && platformNamed(literal) === undefined) {
    throw invalid(
      `${place}.StringEquals compares platformType with ${JSON.stringify(literal)}; platforms are Linux, Windows and MacOS.`,
    )
  }
}
