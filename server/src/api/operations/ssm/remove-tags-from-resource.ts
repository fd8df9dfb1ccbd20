import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { operation } from '../../operation.ts'
import { checkTaggable } from './tags.ts'

export const removeTagsFromResource = operation({
  input: ssmOperations.RemoveTagsFromResource.input,
  callers: ['user'],
  run: async (context, { ResourceType, ResourceId, TagKeys }) => {
    await checkTaggable(context, ResourceType, ResourceId)
    await context.store.tags.remove(context.scope, ResourceType, ResourceId, [...TagKeys])
    return {}
  },
})
