export type Json = Record<string, unknown>

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A member whose name may be written in other cases, as Go reads JSON and so AWS's agent reads documents. */
export function memberOf(object: Json, name: string): unknown {
  if (Object.hasOwn(object, name)) return object[name]
  const wanted = name.toLowerCase()
  return Object.entries(object).find(([key]) => key.toLowerCase() === wanted)?.[1]
}

/** The text of a member, or an empty one where it has none; anything but a text, number or boolean is an error. */
export function textOf(object: Json, name: string): string {
  const value = memberOf(object, name)
  if (value === undefined || value === null) return ''
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new Error(`${name} must be a text.`)
}
