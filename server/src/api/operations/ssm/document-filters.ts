import type { ListDocumentsInput } from '@sallyport/protocol/api/ssm-documents'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { Tag } from '@sallyport/server/store/tags'
import type { OperationContext } from '../../operation.ts'
import { contentOf, type FoundDocument, platformTypes } from './documents.ts'

// docs.aws.amazon.com/systems-manager/latest/APIReference/API_DocumentKeyValuesFilter.html: all of several filters must
// hold, and one holds when any of its values fits.

export type DocumentFilter = { key: string; values: readonly string[] }

/** What filters ask for that is not in the documents themselves. */
export type DocumentFacts = { tags: ReadonlyMap<string, readonly Tag[]>; public: ReadonlySet<string> }

const KEYS = ['Name', 'Owner', 'DocumentType', 'PlatformTypes', 'TargetType', 'SearchKeyword']
const TAG = 'tag:'

/** Throws `InvalidFilterKey`. */
export function readFilters(input: ListDocumentsInput): DocumentFilter[] {
  const filters = [
    ...(input.DocumentFilterList ?? []).map(({ key, value }) => ({ key, values: [value] })),
    ...(input.Filters ?? []).map(({ Key = '', Values = [] }) => ({ key: Key, values: Values })),
  ]
  const unknown = filters.find(({ key }) => !KEYS.includes(key) && !(key.startsWith(TAG) && key !== TAG))
  if (unknown === undefined) return filters
  throw new AwsError(
    'InvalidFilterKey',
    `'${unknown.key}' is not a filter. Filters are ${KEYS.join(', ')} and tag:<key>.`,
  )
}

export async function factsFor(
  { store, scope }: OperationContext,
  filters: readonly DocumentFilter[],
  documents: readonly FoundDocument[],
): Promise<DocumentFacts> {
  const own = documents.filter(({ owner }) => owner === scope.accountId).map(({ name }) => name)
  const byTag = filters.some(({ key }) => key.startsWith(TAG))
  const byOwner = filters.some(({ key }) => key === 'Owner')
  return {
    tags: byTag ? await store.tags.forResources(scope, 'Document', own) : new Map(),
    public: new Set(byOwner ? await store.documentShares.sharedWith(scope, 'all') : []),
  }
}

export function filterHolds(filter: DocumentFilter, document: FoundDocument, facts: DocumentFacts): boolean {
  return filter.values.some(value => valueFits(filter.key, value, document, facts))
}

function valueFits(key: string, value: string, document: FoundDocument, facts: DocumentFacts): boolean {
  switch (key) {
    case 'Name':
      return document.name.startsWith(value)
    case 'Owner':
      return ownerFits(value, document, facts)
    case 'DocumentType':
      return document.documentType === value
    case 'PlatformTypes':
      return platformTypes(document).includes(value)
    case 'TargetType':
      return document.targetType === value
    case 'SearchKeyword':
      return words(document).some(word => word.toLowerCase().includes(value.toLowerCase()))
    default: {
      const tags = facts.tags.get(document.name) ?? []
      return tags.some(tag => `${TAG}${tag.Key}` === key && tag.Value === value)
    }
  }
}

/** Private ones are shared with this account by others, of whom there are none: so those that are not public. */
function ownerFits(value: string, { name, owner }: FoundDocument, facts: DocumentFacts): boolean {
  const amazon = owner === 'Amazon'
  switch (value) {
    case 'All':
      return true
    case 'Amazon':
      return amazon
    case 'Public':
      return amazon || facts.public.has(name)
    case 'Self':
      return !amazon
    case 'Private':
      return !amazon && !facts.public.has(name)
    default:
      return false
  }
}

function words(document: FoundDocument): string[] {
  return [document.name, document.displayName ?? '', contentOf(document).description ?? '']
}
