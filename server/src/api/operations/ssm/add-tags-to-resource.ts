import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { AwsError } from '@sallyport/protocol/aws/error'
import { operation } from '../../operation.ts'
import { checkTaggable, MAXIMUM_TAGS } from './tags.ts'

export const addTagsToResource = operation({
  input: ssmOperations.AddTagsToResource.input,
  callers: ['user'],
  run: async (context, { ResourceType, ResourceId, Tags }) => {
    await checkTaggable(context, ResourceType, ResourceId)
    const { store, scope } = context
    const added = new Map(Tags.map(({ Key, Value }) => [Key, Value]))
    const present = await store.tags.list(scope, ResourceType, ResourceId)
    const keys = new Set([...present.map(tag => tag.Key), ...added.keys()])
    if (keys.size > MAXIMUM_TAGS) {
      throw new AwsError(
        'TooManyTagsError',
        `A resource can have ${MAXIMUM_TAGS} tags; this one would have ${keys.size}.`,
      )
    }
    await store.tags.add(
      scope,
      ResourceType,
      ResourceId,
      [...added].map(([Key, Value]) => ({ Key, Value })),
    )
    return {}
  },
})
