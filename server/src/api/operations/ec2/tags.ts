import { AwsError } from '@sallyport/protocol/aws/error'
import { alikeKeys } from '@sallyport/server/iam/tag-conditions'
import { nodeResourceTypes } from '@sallyport/server/store/node-filters'
import type { Tag } from '@sallyport/server/store/tags'
import type { OperationContext } from '../../operation.ts'
import { neededInstance } from './instances.ts'

/** control-plane.md 23; EC2 has the same bound. */
const MAXIMUM_TAGS = 50
const RESERVED = /^aws:/i
const INSTANCE = /^i-/

export type Ec2InputTag = { readonly Key: string; readonly Value?: string | undefined }

/** EC2 takes a tag without a value for one with an empty value. */
export function toTag({ Key, Value = '' }: Ec2InputTag): Tag {
  return { Key, Value }
}

/** Only instances are resources here. */
export async function checkTagged(context: OperationContext, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    if (!INSTANCE.test(id)) {
      throw new AwsError('InvalidID', `The ID '${id}' is not valid: only instances (i-…) can be tagged here.`)
    }
    await neededInstance(context, id)
  }
}

/** Changes the tags of each instance, all of one at once. */
export async function changeTags(
  { store, scope }: OperationContext,
  ids: readonly string[],
  plan: (present: readonly Tag[]) => { removed: string[]; added: Tag[] },
): Promise<void> {
  for (const id of new Set(ids)) {
    await store.tags.revise(scope, nodeResourceTypes.instance, id, present => {
      const change = plan(present)
      checkTags(present, change)
      return change
    })
  }
}

function checkTags(present: readonly Tag[], { removed, added }: { removed: string[]; added: Tag[] }): void {
  const reserved = added.find(({ Key }) => RESERVED.test(Key))
  if (reserved !== undefined) {
    throw new AwsError(
      'InvalidParameterValue',
      `Tag keys starting with 'aws:' are reserved for internal use: ${reserved.Key}`,
    )
  }
  const keys = added.map(({ Key }) => Key)
  if (new Set(keys).size < keys.length) {
    throw new AwsError('InvalidParameterValue', 'Duplicate tag key specified')
  }
  const after = new Set([...present.map(({ Key }) => Key), ...keys])
  for (const key of removed) after.delete(key)
  const alike = added.length > 0 ? alikeKeys(after) : undefined
  if (alike !== undefined) throw new AwsError('InvalidParameterValue', alike)
  if (after.size <= MAXIMUM_TAGS) return
  throw new AwsError(
    'TagLimitExceeded',
    `The maximum number of Tags for a resource has been reached: ${MAXIMUM_TAGS}`,
  )
}
