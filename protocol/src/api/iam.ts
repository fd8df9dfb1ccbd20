import { type Infer, s } from '../aws/shape.ts'
import { type Tag, tag, tagKey } from './tags.ts'

// control-plane.md 29

export const IAM_VERSION = '2010-05-08'
export const IAM_XMLNS = 'https://iam.amazonaws.com/doc/2010-05-08/'

const userName = s.string({ min: 1, max: 64, pattern: '[\\w+=,.@-]+' })
const tagList = s.list(tag, { max: 50 })
const marker = s.string({ min: 1, max: 320 })
const maxItems = s.integer({ min: 1, max: 1000 })

const tagUser = s.structure({ UserName: userName, Tags: tagList }, { required: ['UserName', 'Tags'] })

const untagUser = s.structure(
  { UserName: userName, TagKeys: s.list(tagKey, { max: 50 }) },
  { required: ['UserName', 'TagKeys'] },
)

const listUserTags = s.structure(
  { UserName: userName, Marker: marker, MaxItems: maxItems },
  { required: ['UserName'] },
)

export const iamOperations = {
  TagUser: { input: tagUser },
  UntagUser: { input: untagUser },
  ListUserTags: { input: listUserTags },
} as const

export type ListUserTagsInput = Infer<typeof listUserTags>

export type ListUserTagsOutput = {
  readonly Tags: readonly Tag[]
  readonly IsTruncated: boolean
  readonly Marker?: string | undefined
}
