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
