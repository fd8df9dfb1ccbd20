import type { ParameterFilter } from '@sallyport/protocol/api/ssm-parameters'
import { AwsError } from '@sallyport/protocol/aws/error'
import type { ParameterFilters, TextFilter } from '@sallyport/server/store/parameter-filters'
import { readPath } from './parameter-names.ts'

// API reference, ParameterStringFilter: which keys and options each of the two operations takes.

type Key = 'Name' | 'Type' | 'KeyId' | 'Path' | 'Label' | 'Tier' | 'DataType' | 'tag:…'
export const DESCRIBE_KEYS: readonly Key[] = ['Path', 'Name', 'Type', 'KeyId', 'Tier', 'DataType', 'tag:…']
export const PATH_KEYS: readonly Key[] = ['Type', 'KeyId', 'Label']

const TEXT_OPTIONS = ['Equals', 'BeginsWith'] as const
const NAME_OPTIONS = [...TEXT_OPTIONS, 'Contains'] as const
const PATH_OPTIONS = ['OneLevel', 'Recursive'] as const

/** Values of which there are no others. */
const KNOWN: Partial<Record<string, readonly string[]>> = {
  Type: ['String', 'StringList', 'SecureString'],
  Tier: ['Standard', 'Advanced', 'Intelligent-Tiering'],
}

/** Throws `InvalidFilterKey`, `InvalidFilterOption` or `InvalidFilterValue`, with what would do. */
export function readParameterFilters(
  given: readonly ParameterFilter[],
  keys: readonly Key[],
): ParameterFilters {
  const read: ParameterFilters = {}
  const seen = new Set<string>()
  for (const filter of given) {
    const key = filter.Key.startsWith('tag:') ? 'tag:…' : filter.Key
    if (!(keys as readonly string[]).includes(key)) {
      throw new AwsError(
        'InvalidFilterKey',
        `The following filter key is not valid: ${filter.Key}. Valid filter keys include: [${keys.join(', ')}].`,
      )
    }
    if (seen.has(filter.Key)) {
      throw new AwsError('InvalidFilterKey', `There is more than one filter with the key ${filter.Key}.`)
    }
    seen.add(filter.Key)
    Object.assign(read, readFilter(filter, key as Key, read))
  }
  return read
}

function readFilter(filter: ParameterFilter, key: Key, before: ParameterFilters): ParameterFilters {
  switch (key) {
    case 'Name':
      return { names: text(filter, NAME_OPTIONS) }
    case 'Type':
      return { types: text(filter) }
    case 'KeyId':
      return { keyIds: text(filter) }
    case 'Tier':
      return { tiers: text(filter) }
    case 'DataType':
      return { dataTypes: text(filter) }
    case 'Label':
      option(filter, ['Equals'])
      return { labels: values(filter) }
    case 'Path':
      return {
        path: {
          recursive: option(filter, PATH_OPTIONS) === 'Recursive',
          paths: values(filter).map(readPath),
        },
      }
    case 'tag:…': {
      const tag = { key: filter.Key.slice('tag:'.length) }
      const wanted = filter.Values === undefined ? tag : { ...tag, values: text(filter) }
      return { tags: [...(before.tags ?? []), wanted] }
    }
    default:
      return key satisfies never
  }
}

function text(filter: ParameterFilter, options: readonly TextFilter['option'][] = TEXT_OPTIONS): TextFilter {
  const read = { option: option(filter, options), values: values(filter) }
  const known = KNOWN[filter.Key]
  const wrong = known && read.option === 'Equals' && read.values.find(value => !known.includes(value))
  if (!wrong) return read
  throw new AwsError(
    'InvalidFilterValue',
    `The following filter value is not valid: ${wrong}. Valid values include: [${known.join(', ')}].`,
  )
}

/** The first is what counts if none is given. */
function option<const O extends string>(
  { Option }: ParameterFilter,
  options: readonly [O, ...O[]] | readonly O[],
): O {
  const found = Option === undefined ? options[0] : options.find(each => each === Option)
  if (found !== undefined) return found
  throw new AwsError(
    'InvalidFilterOption',
    `The following filter option is not valid: ${Option}. Valid options include: [${options.join(', ')}].`,
  )
}

function values({ Key, Values }: ParameterFilter): readonly string[] {
  if (Values !== undefined) return Values
  throw new AwsError('InvalidFilterValue', `The filter with the key ${Key} needs values.`)
}
