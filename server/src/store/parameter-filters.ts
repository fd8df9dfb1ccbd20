import { type RawBuilder, type SelectQueryBuilder, sql } from 'kysely'
import type { ParameterRow, Schema } from './schema.ts'

/** How a text is compared: with any of several. Upper and lower case differ. */
export type TextFilter = { option: 'Equals' | 'BeginsWith' | 'Contains'; values: readonly string[] }
/** A path begins with a slash and does not end with one, or is empty: the root. */
type PathFilter = { paths: readonly string[]; recursive: boolean }

/** All must hold. */
export type ParameterFilters = Partial<Record<keyof typeof columns, TextFilter>> & {
  path?: PathFilter
  /** Versions that have any of these labels, instead of the latest. */
  labels?: readonly string[]
  /** Without `values` the key alone is enough. */
  tags?: readonly { key: string; values?: TextFilter }[]
}

/** What the tags of parameters are kept under, by name. */
export const PARAMETER_TAGS = 'Parameter'

const columns = {
  names: 'parameters.name',
  types: 'parameters.type',
  keyIds: 'parameters.keyId',
  tiers: 'parameters.tier',
  dataTypes: 'parameters.dataType',
} as const

type ParameterQuery = SelectQueryBuilder<Schema, 'parameters', ParameterRow>

export function applyParameterFilters(query: ParameterQuery, filters: ParameterFilters): ParameterQuery {
  let filtered =
    filters.labels === undefined ? query.where('isLatest', '=', 1) : withLabel(query, filters.labels)
  for (const filter of Object.keys(columns) as (keyof typeof columns)[]) {
    const wanted = filters[filter]
    if (wanted !== undefined) filtered = filtered.where(({ or }) => or(texts(columns[filter], wanted)))
  }
  if (filters.path !== undefined) filtered = below(filtered, filters.path)
  for (const tag of filters.tags ?? []) filtered = withTag(filtered, tag)
  return filtered
}

/** LIKE ignores case in SQLite and minds it in PostgreSQL; these mind it in both. */
function texts(column: string, { option, values }: TextFilter): RawBuilder<boolean>[] {
  const ref = sql.ref(column)
  return values.map(value => {
    switch (option) {
      case 'Equals':
        return sql<boolean>`${ref} = ${value}`
      case 'BeginsWith':
        return startsWith(column, value)
      case 'Contains':
        return sql<boolean>`replace(${ref}, ${value}, '') <> ${ref}`
      default:
        return option satisfies never
    }
  })
}

function startsWith(column: string, prefix: string): RawBuilder<boolean> {
  // Both databases count characters, not the halves of a surrogate pair.
  return sql<boolean>`substr(${sql.ref(column)}, 1, ${[...prefix].length}) = ${prefix}`
}

function below(query: ParameterQuery, { paths, recursive }: PathFilter): ParameterQuery {
  if (recursive && paths.includes('')) return query
  return query.where(({ eb, or }) =>
    or(
      paths.flatMap(path => [
        eb('parameters.parent', '=', path),
        ...(recursive ? [startsWith('parameters.parent', `${path}/`)] : []),
      ]),
    ),
  )
}

function withLabel(query: ParameterQuery, labels: readonly string[]): ParameterQuery {
  return query.where(({ exists, selectFrom }) =>
    exists(
      selectFrom('parameterLabels')
        .select('parameterLabels.label')
        .whereRef('parameterLabels.accountId', '=', 'parameters.accountId')
        .whereRef('parameterLabels.region', '=', 'parameters.region')
        .whereRef('parameterLabels.name', '=', 'parameters.name')
        .whereRef('parameterLabels.version', '=', 'parameters.version')
        .where('parameterLabels.label', 'in', labels),
    ),
  )
}

function withTag(query: ParameterQuery, tag: { key: string; values?: TextFilter }): ParameterQuery {
  return query.where(({ exists, selectFrom }) => {
    const matching = selectFrom('tags')
      .select('tags.resourceId')
      .whereRef('tags.accountId', '=', 'parameters.accountId')
      .whereRef('tags.region', '=', 'parameters.region')
      .where('tags.resourceType', '=', PARAMETER_TAGS)
      .whereRef('tags.resourceId', '=', 'parameters.name')
      .where('tags.tagKey', '=', tag.key)
    const { values } = tag
    return exists(values ? matching.where(({ or }) => or(texts('tags.tagValue', values))) : matching)
  })
}
