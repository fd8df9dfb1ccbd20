import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { operation } from '../../operation.ts'
import { checkTaggable } from './tags.ts'

export const listTagsForResource = operation({
  input: ssmOperations.ListTagsForResource.input,
  callers: ['user'],
  run: async (context, { ResourceType, ResourceId }) => {
    await checkTaggable(context, ResourceType, ResourceId)
    return { TagList: await context.store.tags.list(context.scope, ResourceType, ResourceId) }
  },
})
