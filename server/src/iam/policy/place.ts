import type { JsonNode } from './json.ts'
import { BadValue, PolicyFault, quoted } from './malformed.ts'

/** A part of a policy, and what people call it: `Statement[0].Condition.Bool`. The whole has no path. */
export type Place = { readonly node: JsonNode; readonly path: string }

const PLAIN_NAME = /^[A-Za-z]+$/

export function at({ path }: Place, name: string, node: JsonNode): Place {
  if (path === '') return { node, path: name }
  return { node, path: PLAIN_NAME.test(name) ? `${path}.${name}` : `${path}[${quoted(name)}]` }
}

/** `reason` goes on where the path ends: `is empty`. */
export function fault({ node, path }: Place, reason: string): PolicyFault {
  return new PolicyFault(node.start, `${path === '' ? 'the policy' : path} ${reason}`)
}

export function textOf(place: Place): string {
  if (place.node.kind !== 'string') throw fault(place, 'is no text in double quotes')
  return place.node.text
}

/** One, or a list of at least one. */
export function each(place: Place): Place[] {
  const { node, path } = place
  if (node.kind !== 'array') return [place]
  if (node.items.length === 0) throw fault(place, 'is empty')
  return node.items.map((item, index) => ({ node: item, path: `${path}[${index}]` }))
}

/** Runs what throws BadValue, and says where the value stands and what it is. */
export function located<T>(place: Place, text: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof BadValue ? fault(place, `is ${quoted(text)}: ${error.message}`) : error
  }
}
