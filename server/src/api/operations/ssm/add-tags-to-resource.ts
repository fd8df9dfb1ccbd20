import { ssmOperations } from '@sallyport/protocol/api/ssm'
import { operation } from '../../operation.ts'
import { checkTaggable, mergeTags } from './tags.ts'

export const addTagsToResource = operation({
  input: ssmOperations.AddTagsToResource.input,
  callers: ['user'],
  run: async (context, { ResourceType, ResourceId, Tags }) => {
    await checkTaggable(context, ResourceType, ResourceId)
    const { store, scope } = context
    const present = await store.tags.list(scope, ResourceType, ResourceId)
    await store.tags.add(scope, ResourceType, ResourceId, mergeTags(present, Tags))
    return {}
  },
})
