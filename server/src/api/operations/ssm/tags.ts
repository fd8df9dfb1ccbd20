import { AwsError } from '@sallyport/protocol/aws/error'
import { amazonDocument } from '@sallyport/server/documents/document-name'
import type { AccessCheck, AccessPlan, ConditionValues } from '@sallyport/server/iam/access-plan'
import { alikeKeys } from '@sallyport/server/iam/tag-conditions'
import { kindOfNode, nodeResourceTypes } from '@sallyport/server/store/node-filters'
import type { Tag } from '@sallyport/server/store/tags'
import type { OperationContext } from '../../operation.ts'
import { documentCheck, nodeCheck } from '../../resource-conditions.ts'
import { instanceCheck } from '../ec2/instances.ts'
import { parameterCheck } from './parameters.ts'

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
  const alike = alikeKeys(merged.keys())
  if (alike !== undefined) throw new AwsError('ValidationException', alike)
  return [...merged].map(([Key, Value]) => ({ Key, Value }))
}

/** What the tags of a resource are kept under: an instance has one set of them, for SSM and for EC2. */
export function tagsKeptUnder(type: string, id: string): string {
  return type === 'ManagedInstance' ? nodeResourceTypes[kindOfNode(id)] : type
}

/** What SSM does to tags, and the action of EC2 that does the same to those of an instance. */
const EC2_ACTIONS = { set: 'ec2:CreateTags', remove: 'ec2:DeleteTags' } as const

/**
 * What policies must allow for work on the tags of a resource. What cannot be tagged is refused later on. The tags of an
 * instance are EC2's, which AWS's SSM does not touch: whoever may not change them there has no second way here.
 */
export async function taggingAccess(
  context: OperationContext,
  type: string,
  id: string,
  change: { kind: keyof typeof EC2_ACTIONS; conditions: ConditionValues },
): Promise<AccessPlan> {
  const check = await taggableCheck(context, type, id, change.conditions)
  if (type !== 'ManagedInstance' || kindOfNode(id) !== 'instance') return { all: [check] }
  const instance = await instanceCheck(context, id, change.conditions)
  return { all: [check, { ...instance, action: EC2_ACTIONS[change.kind] }] }
}

/** The same of one who only looks at them. */
export async function taggableCheck(
  context: OperationContext,
  type: string,
  id: string,
  conditions: ConditionValues = {},
): Promise<AccessCheck> {
  switch (type) {
    case 'ManagedInstance':
      return await nodeCheck(context, id, conditions)
    case 'Document':
      return await documentCheck(context, id, conditions)
    case 'Parameter':
      return await parameterCheck(context, id, conditions)
    default:
      return { resource: '*', conditions }
  }
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
    case 'Parameter':
      if ((await store.parameters.get(scope, id)) === undefined) {
        throw new AwsError('InvalidResourceId', `There is no parameter ${id}.`)
      }
      return
    default:
      throw new AwsError(
        'InvalidResourceType',
        `Resources of type ${type} cannot be tagged here; ManagedInstance, Document and Parameter can.`,
      )
  }
}
