import { AwsError } from '@sallyport/protocol/aws/error'
import { amazonSessionDocuments } from '@sallyport/server/documents/session-documents'
import type { OperationContext } from '../../operation.ts'

export const MAXIMUM_TAGS = 50

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
      if ((await store.documents.get(scope, id)) === undefined || id in amazonSessionDocuments) {
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
