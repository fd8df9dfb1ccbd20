import type { Json } from '../store/schema.ts'
import type { ParameterType } from './command-schema.ts'
import { isObject, isStrings, isTooDeep } from './content.ts'

// Values of parameters by type (control-plane.md 12.3). A document's default is JSON; the API has strings, which are
// JSON texts for maps.

const INTEGER = /^[+-]?\d{1,15}$/

const forms: Readonly<Record<ParameterType, { read: (given: Json) => Json | undefined; wanted: string }>> = {
  String: { read: given => (typeof given === 'string' ? given : undefined), wanted: 'a string' },
  StringList: { read: given => (isStrings(given) ? given : undefined), wanted: 'a list of strings' },
  Boolean: { read: readBoolean, wanted: 'true or false' },
  Integer: { read: readInteger, wanted: 'a whole number' },
  StringMap: { read: readMap, wanted: 'a JSON object, such as {"key": "value"}' },
  MapList: { read: readMaps, wanted: 'a list of JSON objects, such as [{"key": "value"}]' },
}

/** The value that is meant, as agents get it; undefined if the type has no such value. */
export function readValue(type: ParameterType, given: Json): Json | undefined {
  return forms[type].read(given)
}

/** What readValue takes, for messages. */
export function wanted(type: ParameterType): string {
  return forms[type].wanted
}

/** The texts that patterns and lengths are about: of a list each element's. */
export function textsOf(type: ParameterType, value: Json): string[] {
  const list = (type === 'StringList' || type === 'MapList') && Array.isArray(value) ? value : [value]
  return list.map(each => (typeof each === 'string' ? each : JSON.stringify(each)))
}

function readBoolean(given: Json): boolean | undefined {
  if (typeof given === 'boolean') return given
  const word = typeof given === 'string' ? given.toLowerCase() : ''
  return word === 'true' ? true : word === 'false' ? false : undefined
}

function readInteger(given: Json): number | undefined {
  if (typeof given === 'string') return INTEGER.test(given) ? Number(given) : undefined
  return Number.isSafeInteger(given) ? Number(given) : undefined
}

function readMap(given: Json): Json | undefined {
  const value = typeof given === 'string' ? parsed(given) : given
  return isObject(value) && !isTooDeep(value) ? (value as Json) : undefined
}

/** The API gives a list of texts: one of them may be the whole list, or each a map. */
function readMaps(given: Json): Json | undefined {
  if (isObject(given)) return undefined
  const values = (Array.isArray(given) ? given : [given]).flatMap(each =>
    typeof each === 'string' ? parsed(each) : each,
  ) as unknown[]
  return values.every(isObject) && !isTooDeep(values) ? (values as Json[]) : undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
