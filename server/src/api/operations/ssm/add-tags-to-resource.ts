import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import { operation } from '../../operation.ts'
import { checkTaggable, mergeTags, taggingAccess, tagsKeptUnder } from './tags.ts'

export const addTagsToResource = operation({
  input: ssmOperations.AddTagsToResource.input,
  callers: ['person'],
  access: ({ ResourceType, ResourceId, Tags }, context) =>
    taggingAccess(context, ResourceType, ResourceId, { kind: 'set', conditions: requestTagConditions(Tags) }),
  changesAccess: true,
  run: async (context, { ResourceType, ResourceId, Tags }) => {
    await checkTaggable(context, ResourceType, ResourceId)
    const { store, scope } = context
    await store.tags.revise(scope, tagsKeptUnder(ResourceType, ResourceId), ResourceId, present => ({
      removed: [],
      added: mergeTags(present, Tags),
    }))
    return {}
  },
})
