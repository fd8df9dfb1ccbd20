import { type JsonMember, type JsonNode, readJson } from './json.ts'
import { MalformedPolicyError, PolicyFault, quoted } from './malformed.ts'
import { at, fault, type Place, textOf } from './place.ts'
import type { Policy, PolicyKind, Statement } from './policy.ts'
import { readStatement } from './statement.ts'

export { MalformedPolicyError } from './malformed.ts'

/** As long as a document may be in a request (API of IAM, "PolicyDocument"); what may be stored is shorter. */
const MAX_LENGTH = 131_072
/** The newest is the first. */
const VERSIONS = ['2012-10-17', '2008-10-17']
const VERSION_WITHOUT_ELEMENT = '2008-10-17'
const VERSION_WITH_VARIABLES = '2012-10-17'
const ELEMENTS = ['Version', 'Id', 'Statement']
const STATEMENT_ELEMENTS = ['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Principal']

/** Reads and compiles. Throws MalformedPolicyError: what is not understood in full is not a policy at all. */
export function parsePolicy(text: string, kind: PolicyKind): Policy {
  try {
    if (text.length > MAX_LENGTH) throw new PolicyFault(0, `longer than ${MAX_LENGTH} characters`)
    return readPolicy({ node: readJson(text), path: '' }, kind)
  } catch (error) {
    throw error instanceof PolicyFault ? new MalformedPolicyError(text, error) : error
  }
}

function readPolicy(document: Place, kind: PolicyKind): Policy {
  const members = membersOf(document)
  const version = readVersion(document, members)
  const id = members.get('Id')
  if (id !== undefined) textOf(at(document, 'Id', id.value))
  const statement = members.get('Statement')
  if (statement === undefined) throw fault(document, 'has no Statement')
  const places = statementPlaces(at(document, 'Statement', statement.value))
  const options = { kind, variables: version === VERSION_WITH_VARIABLES }
  const statements = places.map(place => readStatement(place, options))
  refuseDuplicateSids(places, statements)
  return { statements }
}

function membersOf(document: Place): ReadonlyMap<string, JsonMember> {
  const { node } = document
  if (node.kind === 'array') throw fault(document, `is a list. Write the statements as ${wrapped('…')}`)
  if (node.kind !== 'object') throw fault(document, 'is no JSON object')
  for (const [key, { keyStart }] of node.members) {
    if (ELEMENTS.includes(key)) continue
    if (!node.members.has('Statement') && STATEMENT_ELEMENTS.includes(key)) {
      throw fault(document, `is a statement alone. Write it as ${wrapped('{ … }')}`)
    }
    throw new PolicyFault(
      keyStart,
      `${quoted(key)} is no element of a policy: expected ${ELEMENTS.join(', ')}`,
    )
  }
  return node.members
}

function wrapped(statements: string): string {
  return `{"Version": "${VERSIONS[0]}", "Statement": [${statements}]}`
}

function readVersion(document: Place, members: ReadonlyMap<string, JsonMember>): string {
  const member = members.get('Version')
  if (member === undefined) return VERSION_WITHOUT_ELEMENT
  const place = at(document, 'Version', member.value)
  const version = textOf(place)
  if (!VERSIONS.includes(version)) {
    throw fault(place, `is ${quoted(version)}: expected ${VERSIONS.join(' or ')}`)
  }
  return version
}

function statementPlaces(place: Place): Place[] {
  const { node, path } = place
  if (node.kind === 'object') return [place]
  if (node.kind !== 'array') throw fault(place, 'is neither a statement nor a list of statements')
  if (node.items.length === 0) throw fault(place, 'is empty: a policy has at least one statement')
  return node.items.map((item: JsonNode, index) => ({ node: item, path: `${path}[${index}]` }))
}

function refuseDuplicateSids(places: readonly Place[], statements: readonly Statement[]) {
  const seen = new Set<string>()
  for (const [index, { sid }] of statements.entries()) {
    const place = places[index]
    if (sid === undefined || place === undefined) continue
    if (seen.has(sid))
      throw fault(place, `has the Sid ${quoted(sid)} of another statement: Sids must be unique`)
    seen.add(sid)
  }
}
