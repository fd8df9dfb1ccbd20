import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { tagKeyConditions } from '@sallyport/server/iam/tag-conditions'
import { operation } from '../../operation.ts'
import { checkTaggable, taggingAccess, tagsKeptUnder } from './tags.ts'

export const removeTagsFromResource = operation({
  input: ssmOperations.RemoveTagsFromResource.input,
  callers: ['person'],
  access: ({ ResourceType, ResourceId, TagKeys }, context) =>
    taggingAccess(context, ResourceType, ResourceId, {
      kind: 'remove',
      conditions: tagKeyConditions(TagKeys),
    }),
  changesAccess: true,
  run: async (context, { ResourceType, ResourceId, TagKeys }) => {
    await checkTaggable(context, ResourceType, ResourceId)
    await context.store.tags.remove(context.scope, tagsKeptUnder(ResourceType, ResourceId), ResourceId, [
      ...TagKeys,
    ])
    return {}
  },
})
