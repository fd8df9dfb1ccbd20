import { type Infer, s } from '../aws/shape.ts'

const TAG_PATTERN = '^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$'

export const tagKey = s.string({ min: 1, max: 128, pattern: TAG_PATTERN })

export const tag = s.structure(
  { Key: tagKey, Value: s.string({ min: 0, max: 256, pattern: TAG_PATTERN }) },
  { required: ['Key', 'Value'] },
)

export const tags = s.list(tag, { max: 1000 })

export type Tag = Infer<typeof tag>
