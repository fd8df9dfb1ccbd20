import type { Tag } from '@sallyport/protocol/api/tags'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { OperationContext } from '../../operation.ts'

/** What the tags of users are kept under. */
export const USER_TAGS = 'User'
/** docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html, for all of the rules below. */
const MAXIMUM_TAGS = 50

/** Throws `NoSuchEntity`. */
export async function checkUser({ store, scope }: OperationContext, userName: string): Promise<void> {
  if ((await store.principals.getUser(scope, userName)) !== undefined) return
  throw new AwsError('NoSuchEntity', `The user with name ${userName} cannot be found.`, { status: 404 })
}

/**
 * What TagUser changes. Keys keep their case, but two that differ in nothing else are the same: older spellings are
 * `replaced`, they go. Throws for keys given twice, reserved keys and too many.
 */
export function mergeUserTags(
  present: readonly Tag[],
  added: readonly Tag[],
): { added: Tag[]; replaced: string[] } {
  const keys = new Set(added.map(({ Key }) => Key.toLowerCase()))
  if (keys.size < added.length) {
    throw new AwsError('InvalidInput', 'A tag key is given twice. Upper and lower case make no difference.')
  }
  const reserved = added.find(({ Key }) => Key.toLowerCase().startsWith('aws:'))
  if (reserved !== undefined) {
    throw new AwsError('InvalidInput', `Tag keys that begin with aws: are reserved: ${reserved.Key}`)
  }
  const overwritten = present.map(({ Key }) => Key).filter(key => keys.has(key.toLowerCase()))
  const total = present.length - overwritten.length + added.length
  if (total > MAXIMUM_TAGS) {
    throw new AwsError('LimitExceeded', `A user has at most ${MAXIMUM_TAGS} tags, not ${total}.`, {
      status: 409,
    })
  }
  const replaced = overwritten.filter(key => !added.some(({ Key }) => Key === key))
  return { added: added.map(({ Key, Value }) => ({ Key, Value })), replaced }
}
