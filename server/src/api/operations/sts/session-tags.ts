import type { AssumeRoleInput } from '@sallyport/protocol/api/sts'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { Person } from '@sallyport/server/iam/principal'

/** The tags of a new role session, inherited ones included, and which of them sessions assumed from it inherit. */
export type SessionTags = { tags: Readonly<Record<string, string>>; transitive: readonly string[] }

// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html: keys differ by more than case, and what
// was made transitive can be set no more further down the chain.

export function sessionTags(
  { Tags = [], TransitiveTagKeys = [] }: AssumeRoleInput,
  caller: Person,
): SessionTags {
  const given = new Set<string>()
  for (const { Key } of Tags) {
    const folded = Key.toLowerCase()
    if (folded.startsWith('aws:')) throw invalid(`Tag key ${Key} begins with aws:, which is reserved.`)
    if (given.has(folded)) {
      throw invalid('Duplicate tag keys found. Please note that Tag keys are case insensitive.')
    }
    given.add(folded)
  }
  const inherited = inheritedTags(caller)
  for (const [key] of inherited) {
    if (!given.has(key.toLowerCase())) continue
    throw invalid(
      `One of the specified tag keys can't be set because it conflicts with a transitive tag key from the calling session: ${key}.`,
    )
  }
  for (const key of TransitiveTagKeys) {
    if (given.has(key.toLowerCase())) continue
    throw invalid(`The specified transitive tag key ${key} must be included in the requested tags.`)
  }
  const own = Tags.map(({ Key, Value }): [string, string] => [Key, Value])
  return {
    tags: Object.fromEntries([...inherited, ...own]),
    transitive: [...inherited.map(([key]) => key), ...TransitiveTagKeys],
  }
}

/** Once set it stays, through every role that is assumed from there. */
export function sourceIdentity({ SourceIdentity }: AssumeRoleInput, caller: Person): string | undefined {
  const present = caller.kind === 'role' ? caller.sourceIdentity : undefined
  if (present === undefined || SourceIdentity === undefined) return present ?? SourceIdentity
  if (present === SourceIdentity) return present
  throw invalid(`SourceIdentity cannot be changed: this session has ${present}.`)
}

function inheritedTags(caller: Person): Array<[key: string, value: string]> {
  if (caller.kind === 'user') return []
  const transitive = new Set(caller.transitiveTagKeys.map(key => key.toLowerCase()))
  return Object.entries(caller.tags).filter(([key]) => transitive.has(key.toLowerCase()))
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidParameterValue', message)
}
