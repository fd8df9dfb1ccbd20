import { AwsError } from '@sallyport/protocol/aws/error'
import { amazonDocument } from '@sallyport/server/documents/document-name'
import type { Tag } from '@sallyport/server/store/tags'
import type { OperationContext } from '../../operation.ts'

const MAXIMUM_TAGS = 50
/** control-plane.md 23 */
const RESERVED = /^aws:/i

/** The tags that a resource with `present` has afterwards. Throws if one may not be set, or they are too many. */
export function mergeTags(present: readonly Tag[], added: readonly Readonly<Tag>[]): Tag[] {
  const reserved = added.find(({ Key }) => RESERVED.test(Key))
  if (reserved !== undefined) {
    throw new AwsError(
      'ValidationException',
      `Keys of tags that begin with aws: are reserved: ${reserved.Key}`,
    )
  }
  const merged = new Map([...present, ...added].map(({ Key, Value }) => [Key, Value]))
  if (merged.size > MAXIMUM_TAGS) {
    throw new AwsError(
      'TooManyTagsError',
      `A resource can have ${MAXIMUM_TAGS} tags; this one would have ${merged.size}.`,
    )
  }
  return [...merged].map(([Key, Value]) => ({ Key, Value }))
}

/** Checks that a resource whose tags are asked for exists; only these types can carry tags so far. */
export async function checkTaggable(
  { store, scope }: OperationContext,
  type: string,
  id: string,
): Promise<void> {
  switch (type) {
    case 'ManagedInstance': {
      const node = await store.nodes.get(scope, id)
      if (node === undefined || node.deregisteredAt !== null) {
        throw new AwsError('InvalidResourceId', `There is no managed node ${id}.`)
      }
      return
    }
    case 'Document':
      if ((await store.documents.get(scope, id)) === undefined || amazonDocument(id) !== undefined) {
        throw new AwsError('InvalidResourceId', `There is no document ${id} of this account.`)
      }
      return
    default:
      throw new AwsError(
        'InvalidResourceType',
        `Resources of type ${type} cannot be tagged here; ManagedInstance and Document can.`,
      )
  }
}
