import type { ConditionValues } from './access-plan.ts'

type Tag = Readonly<{ Key: string; Value: string }>

/** Of a node or a document, under both of the names that policies know (control-plane.md 34.3). */
export function resourceTagConditions(tags: readonly Tag[]): ConditionValues {
  return Object.fromEntries(
    tags.flatMap(({ Key, Value }) => [
      [`aws:ResourceTag/${Key}`, Value],
      [`ssm:resourceTag/${Key}`, Value],
    ]),
  )
}

/** Of tags that a request wants to set; without any, neither key is there. */
export function requestTagConditions(tags: readonly Tag[] = []): ConditionValues {
  const values = tags.map(({ Key, Value }): [string, string] => [`aws:RequestTag/${Key}`, Value])
  return { ...Object.fromEntries(values), ...tagKeyConditions(tags.map(({ Key }) => Key)) }
}

export function tagKeyConditions(keys: readonly string[]): ConditionValues {
  return keys.length === 0 ? {} : { 'aws:TagKeys': keys }
}

/**
 * What is wrong with a resource having tags with all of these keys, if two differ in case alone. Keys of conditions have
 * no case: with both `env` and `Env` nobody could say which one a policy means.
 */
export function alikeKeys(keys: Iterable<string>): string | undefined {
  const spelled = new Map<string, string>()
  for (const key of new Set(keys)) {
    const other = spelled.get(key.toLowerCase())
    if (other !== undefined) {
      return `The tags ${other} and ${key} would differ in upper and lower case only, which policies cannot tell apart. Remove one of them first.`
    }
    spelled.set(key.toLowerCase(), key)
  }
  return undefined
}
