import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import { operation } from '../../operation.ts'
import { checkTaggable, mergeTags, taggableCheck, tagsKeptUnder } from './tags.ts'

export const addTagsToResource = operation({
  input: ssmOperations.AddTagsToResource.input,
  callers: ['person'],
  access: async (input, context) => ({
    all: [
      await taggableCheck(context, input.ResourceType, input.ResourceId, requestTagConditions(input.Tags)),
    ],
  }),
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
