import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { operation } from '../../operation.ts'
import { checkTaggable, taggableCheck, tagsKeptUnder } from './tags.ts'

export const listTagsForResource = operation({
  input: ssmOperations.ListTagsForResource.input,
  callers: ['person'],
  access: async (input, context) => ({
    all: [await taggableCheck(context, input.ResourceType, input.ResourceId)],
  }),
  run: async (context, { ResourceType, ResourceId }) => {
    await checkTaggable(context, ResourceType, ResourceId)
    const type = tagsKeptUnder(ResourceType, ResourceId)
    return { TagList: await context.store.tags.list(context.scope, type, ResourceId) }
  },
})
