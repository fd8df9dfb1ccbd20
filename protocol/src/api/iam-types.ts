import { s } from '../aws/shape.ts'
import { type Tag, tag, tagKey } from './tags.ts'

// What the operations of IAM have in common (control-plane.md 29; bounds as in AWS's model of IAM).

const NAME = '[\\w+=,.@-]+'

const name = (max: number) => s.string({ min: 1, max, pattern: NAME })

/** Of a user that is to be made. */
export const newUserName = name(64)
/** Of a user that may or may not be there. */
export const userName = name(128)
export const groupName = name(128)
export const roleName = name(64)
export const policyName = name(128)
export const instanceProfileName = name(128)

export const path = s.string({ min: 1, max: 512, pattern: '(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)' })
export const pathPrefix = s.string({ min: 1, max: 512, pattern: '\\u002F[\\u0021-\\u007E]*' })
export const arn = s.string({ min: 20, max: 2048 })

export const tagList = s.list(tag, { max: 50 })
export const tagKeyList = s.list(tagKey, { max: 50 })

/** Of every list. */
export const pageMembers = {
  Marker: s.string({ min: 1, max: 1024 }),
  MaxItems: s.integer({ min: 1, max: 1000 }),
}

/** Of every list's answer: `Marker` when there is more. */
export type PageOutput = { readonly IsTruncated: boolean; readonly Marker?: string | undefined }

export type ListTagsOutput = PageOutput & { readonly Tags: readonly Tag[] }

/** A permissions boundary, as entities show theirs. */
export type AttachedBoundary = {
  readonly PermissionsBoundaryType: 'Policy'
  readonly PermissionsBoundaryArn: string
}
