import type { Tag } from '@sallyport/protocol/api/tags'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { AccessCheck, AccessPlan, ConditionValues } from '@sallyport/server/iam/access-plan'
import { tagKeyConditions } from '@sallyport/server/iam/tag-conditions'
import type { OperationContext } from '../../operation.ts'

// docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html, for all of the rules below.
const MAXIMUM_TAGS = 50

/** A kind of thing that has tags. */
export type Tagged = {
  /** What its tags are kept under. */
  type: string
  /** What messages call it. */
  noun: string
  /** Whether two keys that differ in case alone are two tags. They are not for users and roles. */
  caseSensitive: boolean
}

/** The tags that something has: aws:ResourceTag/…, and iam:ResourceTag/… as users and roles know it. */
export async function ownTagConditions(
  { access }: OperationContext,
  { type }: Tagged,
  id: string,
): Promise<ConditionValues> {
  const tags = await access.tagsOf(type, id)
  return Object.fromEntries(
    tags.flatMap(({ Key, Value }) => [
      [`aws:ResourceTag/${Key}`, Value],
      [`iam:ResourceTag/${Key}`, Value],
    ]),
  )
}

/**
 * aws:TagKeys of a request that sets or removes tags. Where case makes no difference, with the spelling of those that
 * it is about: `ENV` is no way around a policy that says who may touch `env`.
 */
export async function changedTagKeys(
  { access }: OperationContext,
  kind: Tagged,
  id: string,
  keys: readonly string[],
): Promise<ConditionValues> {
  if (kind.caseSensitive) return tagKeyConditions(keys)
  const given = new Set(keys.map(key => fold(kind, key)))
  const present = (await access.tagsOf(kind.type, id)).map(({ Key }) => Key)
  return tagKeyConditions([...new Set([...keys, ...present.filter(key => given.has(fold(kind, key)))])])
}

/**
 * A creation, and the tagging that is part of it: who makes something with tags needs the permission to tag, too (IAM
 * User Guide, "Controlling access to and for IAM users and roles using tags").
 */
export function creationAccess(
  creation: AccessCheck,
  tagAction: string,
  tags: readonly Tag[] = [],
): AccessPlan {
  return { all: tags.length === 0 ? [creation] : [creation, { ...creation, action: tagAction }] }
}

/** The tags of something new. Throws for keys given twice, reserved keys and too many. */
export function newTags(kind: Tagged, tags: readonly Tag[] = []): Tag[] {
  return mergeTags(kind, [], tags).added
}

/** Sets tags of something that exists, in one step. Throws as newTags does. */
export async function addTags(
  { store, scope }: OperationContext,
  kind: Tagged,
  id: string,
  tags: readonly Tag[],
): Promise<void> {
  await store.tags.revise(scope, kind.type, id, present => mergeTags(kind, present, tags))
}

/** Keys that it does not have are ignored. */
export async function removeTags(
  { store, scope }: OperationContext,
  kind: Tagged,
  id: string,
  keys: readonly string[],
): Promise<void> {
  const given = new Set(keys.map(key => fold(kind, key)))
  await store.tags.revise(scope, kind.type, id, present => ({
    removed: present.map(({ Key }) => Key).filter(key => given.has(fold(kind, key))),
    added: [],
  }))
}

/** Keys keep their case; where that makes no difference, older spellings of a key that is set again go. */
function mergeTags(
  kind: Tagged,
  present: readonly Tag[],
  tags: readonly Tag[],
): { added: Tag[]; removed: string[] } {
  const keys = new Set(tags.map(({ Key }) => fold(kind, Key)))
  if (keys.size < tags.length) {
    const hint = kind.caseSensitive ? '' : ' Please note that Tag keys are case insensitive.'
    throw new AwsError('InvalidInput', `Duplicate tag keys found.${hint}`)
  }
  const reserved = tags.find(({ Key }) => Key.toLowerCase().startsWith('aws:'))
  if (reserved !== undefined) {
    throw new AwsError('InvalidInput', `Tag keys that begin with aws: are reserved: ${reserved.Key}`)
  }
  const overwritten = present.map(({ Key }) => Key).filter(key => keys.has(fold(kind, key)))
  const total = present.length - overwritten.length + tags.length
  if (total > MAXIMUM_TAGS) {
    const message = `A ${kind.noun} has at most ${MAXIMUM_TAGS} tags, not ${total}.`
    throw new AwsError('LimitExceeded', message, { status: 409 })
  }
  const removed = overwritten.filter(key => !tags.some(({ Key }) => Key === key))
  return { added: tags.map(({ Key, Value }) => ({ Key, Value })), removed }
}

function fold({ caseSensitive }: Tagged, key: string): string {
  return caseSensitive ? key : key.toLowerCase()
}
