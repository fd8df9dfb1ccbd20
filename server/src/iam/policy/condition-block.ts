import { makeCondition, readOperator, readWanted } from './conditions.ts'
import type { JsonNode } from './json.ts'
import { BadValue, PolicyFault, quoted } from './malformed.ts'
import { at, each, fault, located, type Place } from './place.ts'
import type { Condition, Effect } from './policy.ts'

/** A service prefix or `aws`, or the name of an identity provider. */
const KEY = /^[A-Za-z0-9._/-]+:\S/

/** Operator → key → wanted values. Throws PolicyFault. */
export function readConditions(block: Place, effect: Effect, variables: boolean): Condition[] {
  const conditions: Condition[] = []
  for (const [operatorPlace, name] of members(block)) {
    const operator = atKey(operatorPlace, () => readOperator(name))
    for (const [keyPlace, key] of members(operatorPlace.value)) {
      atKey(keyPlace, () => checkKey(key))
      const wanted = each(keyPlace.value).map(place => {
        const text = scalarOf(place)
        return located(place, text, () => readWanted(operator, text, variables))
      })
      conditions.push(makeCondition(operator, key, wanted, effect))
    }
  }
  return conditions
}

type Member = { keyStart: number; value: Place }

function members(place: Place): Array<[Member, name: string]> {
  const { node } = place
  if (node.kind !== 'object') throw fault(place, 'is no JSON object')
  return [...node.members].map(([name, { keyStart, value }]) => [
    { keyStart, value: at(place, name, value) },
    name,
  ])
}

function atKey<T>({ keyStart, value }: Member, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof BadValue ? new PolicyFault(keyStart, `${value.path}: ${error.message}`) : error
  }
}

function checkKey(key: string) {
  if (!KEY.test(key)) throw new BadValue(`${quoted(key)} is no condition key: expected vendor:key`)
}

/** Numbers and booleans are as good as texts (IAM user guide, "Grammar"). */
function scalarOf(place: Place): string {
  const node: JsonNode = place.node
  if (node.kind === 'string' || node.kind === 'number' || node.kind === 'boolean') return node.text
  throw fault(place, 'is no text, number or boolean')
}
