import type { ControlPlane } from '../control-plane.ts'
import { isObject } from './json.ts'

/** As AWS's agent finds them (control-plane.md 12.3). */
const REFERENCE = /\{\{ *ssm:([/\w.:-]+) *\}\}/g
const WHOLE = /^\s*\{\{ *ssm:([/\w.:-]+) *\}\}\s*$/
/** GetParameters takes no more. */
const BATCH = 10

type Server = Pick<ControlPlane, 'call'>
type Stored = { type: string; value: string }

/**
 * Puts parameters of the Parameter Store in place of `{{ssm:name}}` and `{{ssm:name:version}}`. A StringList as an element
 * of a list becomes elements of it. Throws an Error for the user.
 */
export async function resolveStored<T>(json: T, server: Server): Promise<T> {
  const names = new Set<string>()
  collect(json, names)
  if (names.size === 0) return json
  return replace(json, await getParameters([...names], server)) as T
}

function collect(json: unknown, names: Set<string>): void {
  if (typeof json === 'string') {
    for (const [, name] of json.matchAll(REFERENCE)) names.add(String(name))
  } else if (typeof json === 'object' && json !== null) {
    for (const value of Object.values(json)) collect(value, names)
  }
}

async function getParameters(names: readonly string[], server: Server): Promise<Map<string, Stored>> {
  const stored = new Map<string, Stored>()
  for (let i = 0; i < names.length; i += BATCH) {
    const Names = names.slice(i, i + BATCH)
    const answer = await server.call('GetParameters', { Names, WithDecryption: false })
    const parameters = isObject(answer) && Array.isArray(answer.Parameters) ? answer.Parameters : []
    for (const name of Names) {
      const found = parameters.filter(isObject).find(parameter => isNamed(parameter, name))
      if (found !== undefined) stored.set(name, { type: String(found.Type), value: String(found.Value) })
    }
  }
  const missing = names.filter(name => !stored.has(name))
  if (missing.length > 0) throw new Error(`Input contains invalid parameters [${missing.join(' ')}]`)
  const secure = names.filter(name => stored.get(name)?.type === 'SecureString')
  if (secure.length > 0)
    throw new Error(`Parameters [${secure.join(' ')}] of type SecureString are not supported`)
  return stored
}

/** `Selector` is the version or the label that was asked for, with its colon. */
function isNamed({ Name, Selector, Version, ARN }: Record<string, unknown>, name: string): boolean {
  const names = [Name, ARN].filter(each => typeof each === 'string')
  return names.some(each => [each, `${each}${Selector ?? ''}`, `${each}:${Version}`].includes(name))
}

function replace(json: unknown, stored: ReadonlyMap<string, Stored>): unknown {
  if (typeof json === 'string') return replaceText(json, stored)
  if (Array.isArray(json)) return json.flatMap(item => elementsOf(item, stored) ?? [replace(item, stored)])
  if (!isObject(json)) return json
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, replace(value, stored)]))
}

function elementsOf(item: unknown, stored: ReadonlyMap<string, Stored>): string[] | undefined {
  const name = typeof item === 'string' ? WHOLE.exec(item)?.[1] : undefined
  const parameter = name === undefined ? undefined : stored.get(name)
  return parameter?.type === 'StringList' ? parameter.value.split(',') : undefined
}

function replaceText(text: string, stored: ReadonlyMap<string, Stored>): string {
  return text.replace(REFERENCE, (reference: string, name: string) => {
    const parameter = stored.get(name)
    if (parameter?.type === 'StringList') {
      throw new Error(`Parameter ${name} of type StringList cannot be used as a String`)
    }
    return parameter?.value ?? reference
  })
}
