import { iamOperations, type ListUserTagsOutput } from '@sallyport/protocol/api/iam'
import { operation } from '../../operation.ts'
import { userResource } from '../../resources.ts'
import { checkUser, USER_TAGS } from './users.ts'

const DEFAULT_PAGE = 100

/** By key. A page's marker is the last key that was told. */
export const listUserTags = operation({
  input: iamOperations.ListUserTags.input,
  callers: ['user'],
  resources: (input, context) => [userResource(context, input.UserName)],
  run: async (context, { UserName, Marker, MaxItems = DEFAULT_PAGE }): Promise<ListUserTagsOutput> => {
    const { store, scope } = context
    await checkUser(context, UserName)
    const all = await store.tags.list(scope, USER_TAGS, UserName)
    const left = Marker === undefined ? all : all.filter(({ Key }) => Key > Marker)
    const page = left.slice(0, MaxItems)
    const IsTruncated = page.length < left.length
    return { Tags: page, IsTruncated, Marker: IsTruncated ? page.at(-1)?.Key : undefined }
  },
})
