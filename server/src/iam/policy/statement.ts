import { readConditions } from './condition-block.ts'
import { readActionPattern, readResourcePattern } from './element-patterns.ts'
import type { JsonMember } from './json.ts'
import { PolicyFault, quoted } from './malformed.ts'
import { at, each, fault, located, type Place, textOf } from './place.ts'
import type { ActionList, Effect, PolicyKind, PrincipalList, ResourceList, Statement } from './policy.ts'
import { readPrincipals } from './principals.ts'

export type StatementOptions = { kind: PolicyKind; variables: boolean }

const ELEMENTS = [
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
]
const TRUST_ACTIONS = 'AssumeRole policy may only specify STS AssumeRole actions'
const SID = /^[A-Za-z0-9]*$/

type Members = ReadonlyMap<string, JsonMember>

/** Throws PolicyFault. */
export function readStatement(place: Place, options: StatementOptions): Statement {
  const { node } = place
  if (node.kind !== 'object') throw fault(place, 'is no JSON object')
  const { members, start, end } = node
  for (const [key, { keyStart }] of members) {
    if (!ELEMENTS.includes(key)) {
      const expected = ELEMENTS.join(', ')
      throw new PolicyFault(
        keyStart,
        `${place.path} has ${quoted(key)}, which is no element: expected ${expected}`,
      )
    }
  }
  const sid = readSid(place, members)
  const effect = readEffect(place, members)
  const actions = readActions(place, members, options.kind)
  const principals = readPrincipalElement(place, members, effect, options.kind)
  const resources = readResources(place, members, options)
  const block = members.get('Condition')
  const conditions = block
    ? readConditions(at(place, 'Condition', block.value), effect, options.variables)
    : []
  return {
    ...(sid ? { sid } : {}),
    effect,
    start,
    end,
    actions,
    ...(resources ? { resources } : {}),
    ...(principals ? { principals } : {}),
    conditions,
  }
}

function readSid(statement: Place, members: Members): string | undefined {
  const member = members.get('Sid')
  if (member === undefined) return undefined
  const place = at(statement, 'Sid', member.value)
  const sid = textOf(place)
  if (!SID.test(sid)) throw fault(place, `is ${quoted(sid)}: expected letters and digits only`)
  return sid
}

function readEffect(statement: Place, members: Members): Effect {
  const member = members.get('Effect')
  if (member === undefined) throw fault(statement, 'has no Effect: expected Allow or Deny')
  const place = at(statement, 'Effect', member.value)
  const effect = textOf(place)
  if (effect === 'Allow' || effect === 'Deny') return effect
  throw fault(place, `is ${quoted(effect)}: expected Allow or Deny`)
}

/** `Name` or `NotName`, whichever is there; not both. */
function readEither(statement: Place, members: Members, name: string): [Place, except: boolean] | undefined {
  const positive = members.get(name)
  const negative = members.get(`Not${name}`)
  if (positive && negative) throw fault(statement, `has both ${name} and Not${name}`)
  if (positive) return [at(statement, name, positive.value), false]
  if (negative) return [at(statement, `Not${name}`, negative.value), true]
  return undefined
}

function readActions(statement: Place, members: Members, kind: PolicyKind): ActionList {
  const found = readEither(statement, members, 'Action')
  if (found === undefined) throw fault(statement, 'has neither Action nor NotAction')
  const [list, except] = found
  if (kind === 'trust' && except) throw fault(list, `cannot stand in a trust policy: ${TRUST_ACTIONS}`)
  const patterns = each(list).map(place => {
    const text = textOf(place)
    const pattern = located(place, text, () => readActionPattern(text))
    if (kind === 'trust' && pattern.service !== 'sts') {
      throw fault(place, `is ${quoted(text)}: ${TRUST_ACTIONS}`)
    }
    return pattern
  })
  return { except, patterns }
}

function readResources(
  statement: Place,
  members: Members,
  { kind, variables }: StatementOptions,
): ResourceList | undefined {
  const found = readEither(statement, members, 'Resource')
  if (kind === 'trust') {
    if (found === undefined) return undefined
    throw fault(found[0], 'is prohibited in a trust policy, whose resource is the role itself')
  }
  if (found === undefined) throw fault(statement, 'has neither Resource nor NotResource')
  const [list, except] = found
  const read = each(list).map(place => {
    const text = textOf(place)
    return located(place, text, () => readResourcePattern(text, variables))
  })
  return {
    except,
    patterns: read.map(({ pattern }) => pattern),
    variables: read.flatMap(resource => resource.variables),
  }
}

function readPrincipalElement(
  statement: Place,
  members: Members,
  effect: Effect,
  kind: PolicyKind,
): PrincipalList | undefined {
  const found = readEither(statement, members, 'Principal')
  if (kind === 'identity') {
    if (found === undefined) return undefined
    throw fault(found[0], 'cannot stand in the policy of an identity, which is the principal itself')
  }
  if (found === undefined) throw fault(statement, 'has no Principal: a trust policy says whom it trusts')
  const [place, except] = found
  if (except && effect === 'Allow') throw fault(place, 'can only be used with the Effect Deny')
  return readPrincipals(place, except)
}
